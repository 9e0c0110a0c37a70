/* OCI hooks: programs that see the container's state on standard input. */
#ifndef LXCRI_HOOKS_H
#define LXCRI_HOOKS_H

#include <sys/types.h>

#include "plan.h"

/* Opens the plan's `hooks-folder`: hooks_run leaves there, one file a hook, how it ended and what it said. */
void hooks_log(struct plan plan);
/*
 * Opens these files already for the hooks of one kind, for a process that must not keep the folder; closes it. Puts the
 * descriptors into `opened`, which has room for all hooks, and returns how many they are.
 */
size_t hooks_open(struct plan plan, const char *kind, int *opened);
/*
 * Runs the plan's `hook` records of this kind in order, in this process's namespaces; the state names pid and
 * status. Dies at the first that fails, with the end of what it printed, unless only_warn is set.
 */
void hooks_run(struct plan plan, const char *kind, pid_t pid, const char *status, bool only_warn);

#endif
