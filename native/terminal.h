/* The container's terminal. */
#ifndef LXCRI_TERMINAL_H
#define LXCRI_TERMINAL_H

#include "plan.h"

/*
 * Makes a pseudo-terminal of the container's own devpts below root, makes it this session's controlling terminal
 * and descriptors 0 to 2, sends the master to `socket` as T, and, with on_console, shows it as /dev/console.
 */
void terminal_take(struct plan process, int root, int socket, bool on_console);

#endif
