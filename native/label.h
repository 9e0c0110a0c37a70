/* Labels of Linux security modules for the next program that this process executes. */
#ifndef LXCRI_LABEL_H
#define LXCRI_LABEL_H

#include "plan.h"

/*
 * Sets the AppArmor profile and the SELinux label that `process` asks for; they take effect at the next execve, this
 * process' own or a forked child's. `proc` is the host's /proc: the container's may be missing or made up.
 */
void label_set(struct plan process, int proc);

#endif
