#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "report.h"

static const char *environment_value(struct plan process, const char *name)
{
	size_t length = strlen(name);
	struct record record;
	const char *value = NULL;
	while (plan_find(&process, "env", &record))
		if (!strncmp(record.value, name, length) && record.value[length] == '=')
			value = record.value + length + 1;
	return value;
}

/* 0 where path is a regular file that this user may execute; else an error number. */
static int executable(const char *path)
{
	struct stat info;
	if (stat(path, &info))
		return errno;
	if (S_ISDIR(info.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? errno : 0;
}

const char *program_find(struct plan process)
{
	static char found[PATH_MAX];
	const char *name = plan_get(process, "arg");
	if (!name)
		die("process.args must not be empty");
	if (strchr(name, '/')) {
		int number = executable(name);
		if (number == EACCES || number == EPERM)
			die(CANNOT_START "exec: \"%s\": permission denied", name);
		if (number)
			die(CANNOT_START "exec: \"%s\": stat %s: %s", name, name, error_text(number));
		return name;
	}
	const char *path = environment_value(process, "PATH");
	bool denied = false;
	for (const char *at = path ? path : ""; *at;) {
		size_t length = strcspn(at, ":");
		int written = snprintf(found, sizeof found, "%.*s/%s", length ? (int)length : 1, length ? at : ".", name);
		int number = *name && written < (int)sizeof found ? executable(found) : ENOENT;
		if (!number)
			return found;
		denied |= number == EACCES;
		at += length + (at[length] == ':');
	}
	if (denied)
		die(CANNOT_START "exec: \"%s\": permission denied", name);
	die(CANNOT_START "exec: \"%s\": executable file not found in $PATH", name);
}

/* HOME of the user, from the container's own passwd file, which may be anything. */
static const char *home_of(uid_t uid)
{
	static char line[4096];
	int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat info;
	FILE *file = fd >= 0 && !fstat(fd, &info) && S_ISREG(info.st_mode) ? fdopen(fd, "r") : NULL;
	const char *home = NULL;
	for (int lines = 0; file && !home && lines < 100000 && fgets(line, sizeof line, file); lines++) {
		char *field[7] = { NULL }, *rest = line;
		for (int i = 0; i < 7 && rest; i++)
			field[i] = strsep(&rest, ":\n");
		if (field[2] && *field[2] && strtoul(field[2], NULL, 10) == uid && field[5] && field[5][0] == '/')
			home = field[5];
	}
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	return home ? home : "/";
}

void program_execute(struct plan process, const char *file)
{
	char **args = plan_list(process, "arg"), **env = plan_list(process, "env");
	char home[PATH_MAX];
	const char *given = environment_value(process, "HOME");
	if (!given || !*given) {
		snprintf(home, sizeof home, "HOME=%s", home_of((uid_t)plan_unsigned(process, "uid", 0)));
		char **at = env;
		while (*at && strncmp(*at, "HOME=", 5))
			at++;
		*at = home;
	}
	process_filter_late(process);
	execve(file, args, env);
}

void program_failed(const char *file, int number)
{
	die(CANNOT_START "exec: \"%s\": %s", file, error_text(number));
}
