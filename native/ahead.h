/*
 * The native half of a command that the launcher starts beside the engine, not after it: its start and its sealed copy
 * cost nothing then. The engine is its child and sends the plan through a socket.
 */
#ifndef LXCRI_AHEAD_H
#define LXCRI_AHEAD_H

#include <stdbool.h>

/*
 * `native exec-ahead|create-ahead SOCKET:ENGINE [sealed]`, a descriptor and a pid. Without a plan the engine has said why; its exit status is ours.
 * After a create the engine goes on with what we report, and again its exit status is ours.
 */
int ahead_main(const char *command, const char *socket, bool sealed);
/* Waits for the engine's end; its exit status, 128 + n for signal n. */
int ahead_engine_status(void);

#endif
