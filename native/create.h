/* `create`: LXC builds a container whose init is our stage, set up and waiting for its start. */
#ifndef LXCRI_CREATE_H
#define LXCRI_CREATE_H

#include <stdbool.h>

#include "plan.h"

/* Descriptors that create's processes share. They are close-on-exec. */
struct create {
	struct plan plan;
	struct plan process;
	int outer;    /* packet socket, the command's end: learns senders' pids */
	int inner;    /* packet socket, the end of mount hook and stage */
	int start;    /* FIFO that the stage waits on */
	int result;   /* FIFO that start reads the stage's last words from */
	int proc;     /* the host's /proc */
	int mounts;   /* the mount namespace that the container belongs in; -1 for LXC's own */
	int cgroups;  /* the cgroup namespace to join, or -1 */
	int stdio[3]; /* the container's standard streams */
};

/*
 * Runs the command; its messages go to descriptor result_fd. Ahead (ahead.h) result_fd is the engine's socket, and the
 * engine's exit status is returned; else 0, and the process dies with its caller.
 */
int create_main(int plan_fd, int result_fd, bool ahead);
/* The stage: what LXC calls as the container's program. */
_Noreturn void stage_run(struct create *create);
/* The mount hook: before pivot_root, in the container's namespaces. Returns its exit status. */
int mount_hook_run(struct create *create);
/* Loads liblxc and lets it build the container in this process; returns only when that failed. */
void lxc_build(struct create *create);

#endif
