/* `start`: wakes a created container's init. */
#ifndef LXCRI_START_H
#define LXCRI_START_H

#include <stdbool.h>

#include "plan.h"

/* Both ends of what the stage waits on and answers to. */
struct gate {
	int start;
	int result;
};

/* `native start PLAN_FD RESULT_FD`: for who holds the container's lock. Returns the exit status. */
int start_main(int plan_fd, int result_fd);
/* Whether init is there and waits. The stage holds both FIFOs open both ways: nothing here waits. */
bool gate_open(struct plan plan, struct gate *gate);
/* Lets init become the program, records it, runs poststart hooks. Dies with init's words where it cannot. */
void gate_start(struct plan plan, struct gate gate);

#endif
