/* `exec`: one more process in a running container. */
#ifndef LXCRI_EXEC_H
#define LXCRI_EXEC_H

#include <stdbool.h>

/* Returns the exit status: the process's own, or with `detach` 0 once it runs. */
int exec_main(int plan_fd);
/*
 * `native exec-ahead PIPE [sealed]`: started beside the engine, its parent; reads the plan from the pipe, then the
 * same. Without a plan the engine has said why, and its exit status is ours.
 */
int exec_ahead(const char *pipe, bool sealed);

#endif
