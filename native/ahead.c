#include "ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "create.h"
#include "exec.h"
#include "report.h"

/* Becomes a sealed copy of this program in memory: nothing in the container can write to it (CVE-2019-5736). */
static void seal(const char *command, const char *socket)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int copy = memfd_create("lxcri", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat info;
	if (file < 0 || copy < 0 || fstat(file, &info))
		die_errno("copy this program");
	for (off_t left = info.st_size; left > 0;) {
		ssize_t moved = sendfile(copy, file, NULL, (size_t)left);
		if (moved <= 0)
			die_errno("copy this program");
		left -= moved;
	}
	if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		die_errno("seal this program");
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
	char *const words[] = { (char *)"lxcri", (char *)command, (char *)socket, (char *)"sealed", NULL };
	execv(path, words);
	die_errno("start the copy of this program");
}

/* Reads exactly size bytes; false where the pipe ends before. */
static bool read_whole(int fd, void *to, size_t size)
{
	for (char *at = to; size > 0;) {
		ssize_t got = read(fd, at, size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

/* Our child, beside those that the caller may have had before it became us. */
static pid_t engine;

int ahead_engine_status(void)
{
	int status = 0;
	while (waitpid(engine, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "proxmox-lxcri: the engine was ended by signal %d\n", WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

int ahead_main(const char *command, const char *socket, bool sealed)
{
	if (!sealed)
		seal(command, socket);
	int from;
	uint32_t size;
	if (sscanf(socket, "%d:%d", &from, &engine) != 2)
		die("%s: not started by the launcher", command);
	fcntl(from, F_SETFD, FD_CLOEXEC);
	if (!read_whole(from, &size, sizeof size))
		return ahead_engine_status();
	char *bytes = malloc(size);
	int plan = memfd_create("plan", MFD_CLOEXEC);
	if (!bytes || plan < 0)
		die("out of memory");
	if (!read_whole(from, bytes, size))
		return ahead_engine_status();
	if (write(plan, bytes, size) != (ssize_t)size)
		die_errno("keep the plan");
	free(bytes);
	if (!strcmp(command, "create-ahead"))
		return create_main(plan, from, true);
	close(from);
	return exec_main(plan);
}
