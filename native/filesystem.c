#include "filesystem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "report.h"

/* Last line that the kernel wrote about a failed fsconfig or fsmount. */
static const char *filesystem_log(int context)
{
	static char text[512];
	text[0] = '\0';
	char line[256];
	ssize_t size;
	while ((size = read(context, line, sizeof line - 1)) > 0) {
		line[size] = '\0';
		snprintf(text, sizeof text, " (%s)", size > 2 && line[1] == ' ' ? line + 2 : line);
	}
	return text;
}

static void filesystem_failed(int context, const char *type, const char *where, const char *step)
{
	int number = errno;
	const char *said = filesystem_log(context);
	errno = number;
	die("mount %s on %s: %s: %s%s", type, where, step, error_text(number), said);
}

/* Passes one option, `key` or `key=value`; quotes around a value (SELinux contexts) are taken off. */
static int filesystem_option(int context, char *option)
{
	char *value = strchr(option, '=');
	if (!value)
		return fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0);
	*value++ = '\0';
	size_t length = strlen(value);
	if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
		value[length - 1] = '\0';
		value++;
	}
	return fsconfig(context, FSCONFIG_SET_STRING, option, value, 0);
}

int filesystem_mount(const char *type, const char *source, uint64_t attributes, const char *data, const char *where)
{
	int context = fsopen(type, FSOPEN_CLOEXEC);
	if (context < 0)
		die_errno("mount %s on %s: file system type", type, where);
	if (source && *source && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0))
		filesystem_failed(context, type, where, source);
	char *options = strdup(data ? data : "");
	if (!options)
		die("out of memory");
	bool quoted = false;
	for (char *at = options, *start = options;; at++) {
		if (*at == '"')
			quoted = !quoted;
		if (*at && (*at != ',' || quoted))
			continue;
		bool last = !*at;
		*at = '\0';
		char shown[256];
		snprintf(shown, sizeof shown, "option %s", start);
		if (*start && filesystem_option(context, start))
			filesystem_failed(context, type, where, shown);
		start = at + 1;
		if (last)
			break;
	}
	free(options);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		filesystem_failed(context, type, where, "create");
	int fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned int)attributes);
	if (fd < 0)
		filesystem_failed(context, type, where, "mount");
	close(context);
	return fd;
}

int mount_move(int tree, int target)
{
	return move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
