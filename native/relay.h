/* A person's terminal and signals, in front of a process of the container. */
#ifndef LXCRI_RELAY_H
#define LXCRI_RELAY_H

#include <sys/types.h>

/*
 * Waits for child pid; meanwhile passes our signals on to it and, unless master is -1, connects our standard
 * streams to that terminal (ours is set raw and restored). Returns the exit status, 128 + n for signal n.
 */
int relay_run(pid_t pid, int master);
/* Blocks the signals that relay_run passes on; call before the child may end. */
void relay_prepare(void);

#endif
