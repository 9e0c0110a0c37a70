/* The seccomp agent: who decides notified system calls. */
#ifndef LXCRI_LISTENER_H
#define LXCRI_LISTENER_H

#include <sys/types.h>

#include "plan.h"

/* Sends the listener to the plan's agent socket with the container process state (runtime-spec, config-linux). */
void listener_send(struct plan plan, pid_t pid, const char *status, int listener);

#endif
