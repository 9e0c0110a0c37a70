#include "shortcut.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "errorlog.h"
#include "identity.h"
#include "report.h"
#include "start.h"

void shortcut_event(struct plan plan, const char *type)
{
	char line[512], when[32];
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
	int size = snprintf(line, sizeof line, "{\"time\":\"%s.%03ldZ\",\"type\":\"%s\",\"id\":\"%s\"}\n", when,
			    now.tv_nsec / 1000000, type, plan_get(plan, "id"));
	int fd = open(plan_get(plan, "events"), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && write(fd, line, (size_t)size) != size)
		warn("cannot write %s", plan_get(plan, "events"));
	if (fd >= 0)
		close(fd);
}

int shortcut_lock(struct plan plan)
{
	const char *path = plan_get(plan, "lock");
	struct stat held, named;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &held) || stat(path, &named) ||
	    held.st_ino != named.st_ino || ftruncate(fd, 0) || dprintf(fd, "%d", getpid()) < 0)
		return -1;
	return fd;
}

static _Noreturn void become_engine(char **argv)
{
	char path[PATH_MAX + 16];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	size_t suffix = strlen("-native");
	if (length > (ssize_t)suffix)
		strcpy(path + length - suffix, "-engine");
	execv(path, argv);
	fprintf(stderr, "proxmox-lxcri: cannot start %s: %s\n", path, error_text(errno));
	_exit(1);
}

/* The plan, its container's lock taken. */
static struct plan begin(char **arguments)
{
	struct plan plan;
	int fd = open(arguments[0], O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || plan_map(fd, &plan) || shortcut_lock(plan) < 0)
		become_engine(arguments + 3);
	close(fd);
	errorlog_use(*arguments[1] ? arguments[1] : NULL, !strcmp(arguments[2], "json"));
	return plan;
}

/* A paused container could not answer. */
static bool is_frozen(struct plan plan)
{
	char text[256];
	const char *path = plan_get(plan, "freezer");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[size > 0 ? size : 0] = '\0';
	return strstr(text, "FROZEN") || strstr(text, "frozen 1");
}

int shortcut_start(char **arguments)
{
	struct gate gate;
	struct plan plan = begin(arguments);
	if (is_frozen(plan) || !gate_open(plan, &gate))
		become_engine(arguments + 3);
	gate_start(plan, gate);
	return 0;
}

/* Removes the container's folder, the record last: what is cut short can be deleted again. */
static bool remove_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool done = folder != NULL;
	while (done && (entry = readdir(folder))) {
		const char *name = entry->d_name;
		if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "state.json"))
			continue;
		done = !unlinkat(fd, name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	}
	done = done && !unlinkat(fd, "state.json", 0) && !rmdir(path);
	if (folder)
		closedir(folder);
	return done;
}

int shortcut_delete(char **arguments)
{
	struct plan plan = begin(arguments);
	struct record record;
	if (identity_holds(plan))
		become_engine(arguments + 3);
	for (struct plan rest = plan; plan_find(&rest, "leaf", &record);)
		if (rmdir(record.value) && errno != ENOENT)
			become_engine(arguments + 3);
	if (!remove_folder(plan_get(plan, "folder")))
		become_engine(arguments + 3);
	shortcut_event(plan, "delete");
	unlink(plan_get(plan, "lock"));
	return 0;
}
