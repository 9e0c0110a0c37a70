#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void message_pair(int ends[2])
{
	int on = 1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ||
	    setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on))
		die_errno("socketpair");
}

int message_send(int socket, char letter, const char *text, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	char *body = (char *)(text ? text : "");
	struct iovec parts[2] = { { &letter, letter ? 1 : 0 }, { body, strlen(body) } };
	struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };
	if (fd >= 0) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = sizeof control.bytes;
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	return sendmsg(socket, &packet, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int message_receive(int socket, struct message *message, int timeout_ms)
{
	struct pollfd wait = { .fd = socket, .events = POLLIN };
	int ready;
	do
		ready = poll(&wait, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready == 0)
		errno = ETIME;
	if (ready <= 0)
		return -1;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
	} control;
	char body[MESSAGE_MAX + 1];
	struct iovec part = { body, sizeof body - 1 };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t size = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
	if (size <= 0)
		return size < 0 && errno != ECONNRESET ? -1 : 0;
	/* The descriptor was lost: this process has as many as it may. */
	if (packet.msg_flags & MSG_CTRUNC) {
		errno = EMFILE;
		return -1;
	}
	body[size] = '\0';
	if (body[size - 1] == '\n')
		body[size - 1] = '\0';
	message->letter = body[0];
	snprintf(message->text, sizeof message->text, "%s", body + 1);
	message->sender = 0;
	message->fd = -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&packet); header; header = CMSG_NXTHDR(&packet, header)) {
		struct ucred sender;
		if (header->cmsg_level != SOL_SOCKET)
			continue;
		if (header->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&sender, CMSG_DATA(header), sizeof sender);
			message->sender = sender.pid;
		} else if (header->cmsg_type == SCM_RIGHTS) {
			memcpy(&message->fd, CMSG_DATA(header), sizeof message->fd);
		}
	}
	return 1;
}

int message_connect(const char *path, const char *what)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int at = open(path, O_PATH | O_CLOEXEC);
	if (at < 0)
		die_errno("%s %s", what, path);
	/* By descriptor: a socket's path may be longer than an address holds. */
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", at);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* One that nobody accepts from, or reads from, is an error in the end. */
	const struct timeval patience = { .tv_sec = 10 };
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) ||
	    connect(fd, (struct sockaddr *)&address, sizeof address))
		die_errno("%s %s: connect", what, path);
	close(at);
	return fd;
}
