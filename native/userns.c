#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

static void write_map(pid_t pid, const char *file, struct plan plan, const char *key)
{
	char path[64], text[4096];
	size_t used = 0;
	struct record record;
	while (plan_find(&plan, key, &record)) {
		int written = snprintf(text + used, sizeof text - used, "%s\n", record.value);
		if (written < 0 || (size_t)written >= sizeof text - used)
			die("id mapping is longer than %zu bytes", sizeof text);
		used += (size_t)written;
	}
	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, used) != (ssize_t)used)
		die_errno("write %s for an id-mapped mount", file);
	close(fd);
}

int userns_make(struct plan plan, const char *uid_key, const char *gid_key)
{
	int ready[2];
	if (pipe2(ready, O_CLOEXEC))
		die_errno("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die_errno("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		char state = unshare(CLONE_NEWUSER) ? (char)errno : 0;
		if (write(ready[1], &state, 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	char state = 0;
	char path[64];
	int fd = -1;
	if (read(ready[0], &state, 1) != 1 || state) {
		errno = state ? state : EPIPE;
		die_errno("make a user namespace for an id-mapped mount");
	}
	write_map(pid, "uid_map", plan, uid_key);
	write_map(pid, "gid_map", plan, gid_key);
	snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die_errno("open the user namespace of an id-mapped mount");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	return fd;
}
