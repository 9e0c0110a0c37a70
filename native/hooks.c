#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report.h"
#include "signals.h"

/* The most of a hook's output that an error shows. */
#define SAID_MAX 1024

/* Where outcomes are kept; opened on the host, since hooks also run where that is out of sight. */
static int folder = -1;
/* The files in it where they are open already, by the hooks' order. */
static int *outcomes;

void hooks_log(struct plan plan)
{
	const char *path = plan_get(plan, "hooks-folder");
	if (path)
		folder = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_outcome(const char *kind, size_t index)
{
	char name[64];
	snprintf(name, sizeof name, "%s.%zu", kind, index);
	return openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

size_t hooks_open(struct plan plan, const char *kind, int *opened)
{
	size_t count = 0;
	struct record record;
	outcomes = calloc(plan_count(plan, "hook") + 1, sizeof *outcomes);
	if (!outcomes)
		die("out of memory");
	while (plan_find(&plan, "hook", &record)) {
		if (strcmp(plan_get(plan_nested(record), "kind"), kind))
			continue;
		outcomes[count] = open_outcome(kind, count);
		opened[count] = outcomes[count];
		count++;
	}
	if (folder >= 0)
		close(folder);
	folder = -1;
	return count;
}

/* For who looks later; that it cannot be kept fails nothing. */
static void keep_outcome(const char *kind, size_t index, const char *path, const char *failure, const char *said)
{
	char text[SAID_MAX + 512];
	int size = snprintf(text, sizeof text, "%.256s: %s\n%s\n", path, failure ? failure : "exit status 0", said);
	int fd = outcomes ? outcomes[index] : open_outcome(kind, index);
	if (fd < 0)
		return;
	if (write(fd, text, (size_t)size) != size)
		warn("cannot keep the outcome of %s hook #%zu", kind, index);
	close(fd);
}

static int state_document(struct plan plan, pid_t pid, const char *status)
{
	const char *rest = plan_get(plan, "state");
	int fd = memfd_create("state", MFD_CLOEXEC);
	if (fd < 0 || !rest)
		die_errno("hook state");
	if (pid)
		dprintf(fd, "{\"pid\":%d,", pid);
	else
		dprintf(fd, "{");
	dprintf(fd, "\"status\":\"%s\",%s", status, rest);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static _Noreturn void become_hook(struct plan hook, int state, int output, pid_t parent)
{
	const char *directory = plan_get(hook, "cwd");
	signals_reset();
	/* Nobody would wait for it any more, nor end it in time. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(126);
	setsid();
	if (dup2(state, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || (directory && chdir(directory) && chdir("/")))
		_exit(126);
	syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
	char **args = plan_list(hook, "arg"), **env = plan_list(hook, "env");
	if (!args[0])
		args[0] = (char *)plan_get(hook, "path");
	execve(plan_get(hook, "path"), args, env);
	dprintf(2, "%s", error_text(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads what is there; keeps the first SAID_MAX bytes, so that a hook that prints for ever costs nothing. */
static bool drain(int fd, char *said, size_t *used)
{
	char buffer[4096];
	errno = 0;
	ssize_t size = read(fd, buffer, sizeof buffer);
	if (size <= 0)
		return size < 0 && errno == EAGAIN;
	size_t room = SAID_MAX - *used;
	size_t take = (size_t)size < room ? (size_t)size : room;
	memcpy(said + *used, buffer, take);
	*used += take;
	return true;
}

/* Runs one hook; what went wrong, or NULL. */
static const char *run(struct plan hook, int state, char *said)
{
	static char failure[64];
	int output[2];
	size_t used = 0;
	said[0] = '\0';
	/* Only our end never waits: the hook is not made for writes that fail when the pipe is full. */
	if (pipe2(output, O_CLOEXEC) || fcntl(output[0], F_SETFL, O_NONBLOCK))
		die_errno("pipe");
	lseek(state, 0, SEEK_SET);
	pid_t self = getpid(), pid = fork();
	if (pid < 0)
		die_errno("fork");
	if (!pid)
		become_hook(hook, state, output[1], self);
	close(output[1]);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		die_errno("pidfd_open");
	int64_t timeout = plan_number(hook, "timeout", 0) * 1000, deadline = now_ms() + timeout;
	struct pollfd waits[2] = { { pidfd, POLLIN, 0 }, { output[0], POLLIN, 0 } };
	bool late = false;
	while (!(waits[0].revents & POLLIN)) {
		int64_t left = timeout ? deadline - now_ms() : -1;
		if (timeout && left <= 0) {
			late = true;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			break;
		}
		if (poll(waits, 2, (int)(left > 60000 ? 60000 : left)) < 0 && errno != EINTR)
			die_errno("poll");
		if (waits[1].revents && !drain(output[0], said, &used))
			waits[1].fd = -1;
	}
	int status = 0;
	waitpid(pid, &status, 0);
	while (used < SAID_MAX && drain(output[0], said, &used) && errno != EAGAIN)
		;
	close(output[0]);
	close(pidfd);
	said[used] = '\0';
	if (late)
		snprintf(failure, sizeof failure, "timed out after %lld s", (long long)(timeout / 1000));
	else if (WIFSIGNALED(status))
		snprintf(failure, sizeof failure, "ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(failure, sizeof failure, "exit status %d", WEXITSTATUS(status));
	else
		return NULL;
	return failure;
}

void hooks_run(struct plan plan, const char *kind, pid_t pid, const char *status, bool only_warn)
{
	struct record record;
	int state = -1;
	size_t index = 0;
	for (struct plan rest = plan; plan_find(&rest, "hook", &record);) {
		struct plan hook = plan_nested(record);
		if (strcmp(plan_get(hook, "kind"), kind))
			continue;
		if (state < 0)
			state = state_document(plan, pid, status);
		char said[SAID_MAX + 1];
		const char *failure = run(hook, state, said);
		const char *path = plan_get(hook, "path");
		size_t number = index++;
		keep_outcome(kind, number, path, failure, said);
		if (!failure)
			continue;
		/* What hooks print is shown as text, not obeyed by the terminal. */
		for (char *at = said; *at; at++)
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				*at = ' ';
		const char *separator = *said ? ": " : "";
		if (!only_warn)
			die("error running %s hook #%zu (%s): %s%s%s", kind, number, path, failure, separator, said);
		warn("%s hook #%zu %s: %s%s%s", kind, number, path, failure, separator, said);
	}
	if (state >= 0)
		close(state);
}
