#include "namespaces.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "report.h"

static const struct {
	const char *name;
	int flag;
} kinds[] = {
	{ "user", CLONE_NEWUSER }, { "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS },
	{ "net", CLONE_NEWNET },   { "pid", CLONE_NEWPID },	  { "mnt", CLONE_NEWNS },  { "time", CLONE_NEWTIME },
};

int namespaces_differing(pid_t pid)
{
	int flags = 0;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char theirs[64], ours[64];
		struct stat one, other;
		snprintf(theirs, sizeof theirs, "/proc/%d/ns/%s", pid, kinds[i].name);
		snprintf(ours, sizeof ours, "/proc/self/ns/%s", kinds[i].name);
		if (stat(ours, &one))
			continue; /* this kernel has no such kind */
		if (stat(theirs, &other))
			die_errno("read the container's %s namespace", kinds[i].name);
		if (one.st_ino != other.st_ino || one.st_dev != other.st_dev)
			flags |= kinds[i].flag;
	}
	return flags;
}
