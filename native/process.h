/* What an OCI `process` asks for beside namespaces: shared by a container's init and by exec. */
#ifndef LXCRI_PROCESS_H
#define LXCRI_PROCESS_H

#include <sys/types.h>

#include "plan.h"

/* Binds this process to the CPUs that the plan lists under the key, if it does. */
void process_pin(struct plan process, const char *key);
/* Makes cwd where it is missing: for init only, exec finds what is there (as with runc). */
void process_make_cwd(struct plan process, int root);
/*
 * Sets the limits of process pid (0: this one). The kernel asks for the privilege to raise one in the host's user
 * namespace: to be called from outside the container's, or before it is entered.
 */
void process_limit(struct plan process, pid_t pid);
/* Sets oom_score_adj of process pid (0: this one), through the host's /proc. */
void process_score(struct plan process, pid_t pid);
/* As the container's root: scheduling, personality, memory policy, umask; enters cwd. */
void process_prepare(struct plan process);
/*
 * Becomes the user: bounding set, groups, ids, capabilities, no_new_privs. A filter that needs privilege is
 * loaded before those are given up. A seccomp listener goes to `socket` as L.
 */
void process_become(struct plan process, int socket);
/* Loads a filter that no_new_privs allows late: call directly before execve. */
void process_filter_late(struct plan process);

#endif
