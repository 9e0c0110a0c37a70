#include "propagation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "report.h"

/* True where path is dest or lies below it. */
static bool covers(const char *dest, const char *path, bool below)
{
	size_t length = strlen(dest);
	while (length > 1 && dest[length - 1] == '/')
		length--;
	if (length == 1 && dest[0] == '/')
		return below || !strcmp(path, "/");
	return !strncmp(dest, path, length) && (path[length] == '\0' || (below && path[length] == '/'));
}

/* The propagation that the plan asks for at this mount point, innermost mount last. */
static uint64_t wanted_propagation(struct plan plan, const char *path)
{
	uint64_t wanted = MS_PRIVATE;
	struct record record;
	const char *top = plan_get(plan, "root-propagation");
	if (top && !strcmp(path, "/"))
		wanted = strtoull(top, NULL, 0);
	else if (top && strtoull(top, NULL, 0) & MS_REC)
		wanted = strtoull(top, NULL, 0);
	for (struct plan rest = plan; plan_next(&rest, &record);) {
		if (strcmp(record.key, "bind") && strcmp(record.key, "filesystem") && strcmp(record.key, "late-bind"))
			continue;
		struct plan mount = plan_nested(record);
		const char *dest = plan_get(mount, "dest");
		if (!covers(dest, path, true))
			continue;
		bool given = false;
		struct record one;
		for (struct plan list = mount; plan_find(&list, "propagation", &one);) {
			uint64_t type = strtoull(one.value, NULL, 0);
			if (covers(dest, path, type & MS_REC)) {
				wanted = type;
				given = true;
			}
		}
		if (!given)
			wanted = MS_PRIVATE;
	}
	return wanted & ~(uint64_t)MS_REC;
}

/* Undoes mountinfo's octal escapes in place. */
static void unescape(char *text)
{
	char *to = text;
	for (char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)(((from[1] - '0') << 6) | ((from[2] - '0') << 3) | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

void propagation_apply(struct plan plan, int host_proc)
{
	struct record record;
	bool simple = !plan_get(plan, "root-propagation");
	for (struct plan rest = plan; simple && plan_next(&rest, &record);)
		if (!strcmp(record.key, "bind") || !strcmp(record.key, "filesystem") || !strcmp(record.key, "late-bind"))
			simple = !plan_get(plan_nested(record), "propagation");
	if (simple) {
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			die_errno("make the container's mounts private");
		return;
	}
	int fd = openat(host_proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
	if (!list)
		die_errno("read the container's mounts");
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, list) > 0) {
		char point[PATH_MAX];
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
			continue;
		unescape(point);
		uint64_t type = wanted_propagation(plan, point);
		if (mount(NULL, point, NULL, (unsigned long)type, NULL) && errno != EINVAL && errno != ENOENT)
			die_errno("set propagation of %s", point);
	}
	free(line);
	fclose(list);
}
