/*
 * Packets between the processes of one command, over a SOCK_SEQPACKET pair: a letter, a text, perhaps a
 * descriptor; the receiver learns the sender's pid in its own pid namespace.
 *
 *   P  the mount hook has placed all mounts; runtime hooks may run    (answer: G)
 *   H  hooks of the container run now, for as long as they like
 *   T  the terminal's master, attached
 *   L  the seccomp listener, attached
 *   R  everything is set up; init waits for its start
 *   E  an error: the process that sends it ends                        (report.h)
 *   W  a warning                                                       (report.h)
 *   G  go on
 */
#ifndef LXCRI_MESSAGE_H
#define LXCRI_MESSAGE_H

#include <sys/types.h>

#include "report.h"

struct message {
	char letter;
	char text[MESSAGE_MAX];
	pid_t sender;
	int fd; /* -1 where none came along */
};

/* Makes the pair; ends[0] learns its senders' pids. Both are close-on-exec. */
void message_pair(int ends[2]);
/* Sends a packet, with fd unless it is -1. Returns 0, or -1 and errno. */
int message_send(int socket, char letter, const char *text, int fd);
/* Receives a packet: 1, 0 at the end, -1 and errno; ETIME after timeout_ms (-1: no limit). */
int message_receive(int socket, struct message *message, int timeout_ms);
/* Connects to a stream socket by its path, however long that is; dies naming `what`. */
int message_connect(const char *path, const char *what);

#endif
