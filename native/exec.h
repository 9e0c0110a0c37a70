/* `exec`: one more process in a running container. */
#ifndef LXCRI_EXEC_H
#define LXCRI_EXEC_H

/* Returns the exit status: the process's own, or with `detach` 0 once it runs. */
int exec_main(int plan_fd);

#endif
