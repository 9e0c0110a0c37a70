#include "label.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

static void write_attribute(int proc, const char *path, const char *text, const char *label)
{
	int fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die_errno("set the label %s", label);
	close(fd);
}

static void set_apparmor(int proc, const char *profile)
{
	static const char own[] = "thread-self/attr/apparmor/exec";
	/* Before Linux 5.8 AppArmor had no file of its own. */
	bool has_own = !faccessat(proc, own, F_OK, 0);
	if (!has_own && !strcmp(profile, "unconfined"))
		return;
	char command[512];
	if (snprintf(command, sizeof command, "exec %s", profile) >= (int)sizeof command)
		die("the label %s is too long", profile);
	write_attribute(proc, has_own ? own : "thread-self/attr/exec", command, profile);
}

void label_set(struct plan process, int proc)
{
	const char *profile = plan_get(process, "apparmor"), *label = plan_get(process, "selinux");
	if (profile)
		set_apparmor(proc, profile);
	if (label)
		write_attribute(proc, "thread-self/attr/exec", label, label);
}
