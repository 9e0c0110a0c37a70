#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "message.h"
#include "program.h"
#include "root.h"

/* As linux/sched/types.h has it, which clashes with glibc's sched.h. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void process_limit(struct plan process, pid_t pid)
{
	struct record record;
	while (plan_find(&process, "rlimit", &record)) {
		unsigned long long soft, hard;
		int resource;
		if (sscanf(record.value, "%d %llu %llu", &resource, &soft, &hard) != 3)
			die("plan: rlimit %s", record.value);
		struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };
		if (prlimit(pid, (__rlimit_resource_t)resource, &limit, NULL))
			die_errno("set rlimit %s", record.value);
	}
}

void process_score(struct plan process, pid_t pid)
{
	const char *score = plan_get(process, "oom-score-adj");
	char path[64];
	if (!score)
		return;
	if (pid)
		snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	else
		snprintf(path, sizeof path, "/proc/self/oom_score_adj");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, score, strlen(score)) != (ssize_t)strlen(score))
		die_errno("set oom_score_adj to %s", score);
	close(fd);
}

void process_pin(struct plan process, const char *key)
{
	const char *list = plan_get(process, key);
	cpu_set_t set;
	if (!list)
		return;
	CPU_ZERO(&set);
	for (const char *at = list; *at;) {
		char *end;
		unsigned long cpu = strtoul(at, &end, 10);
		if (end == at)
			break;
		if (cpu < CPU_SETSIZE)
			CPU_SET(cpu, &set);
		at = *end ? end + 1 : end;
	}
	if (sched_setaffinity(0, sizeof set, &set))
		die_errno("set CPU affinity %s", list);
}

static void set_scheduler(struct plan process)
{
	struct record record;
	if (!plan_find(&process, "scheduler", &record))
		return;
	struct plan wanted = plan_nested(record);
	struct scheduling attributes = {
		.size = sizeof attributes,
		.policy = (uint32_t)plan_unsigned(wanted, "policy", 0),
		.flags = plan_unsigned(wanted, "flags", 0),
		.nice = (int32_t)plan_number(wanted, "nice", 0),
		.priority = (uint32_t)plan_unsigned(wanted, "priority", 0),
		.runtime = plan_unsigned(wanted, "runtime", 0),
		.deadline = plan_unsigned(wanted, "deadline", 0),
		.period = plan_unsigned(wanted, "period", 0),
	};
	if (syscall(SYS_sched_setattr, 0, &attributes, 0))
		die_errno("set scheduler");
}

static void set_memory_policy(struct plan process)
{
	struct record record;
	unsigned long nodes[16] = { 0 };
	if (!plan_find(&process, "memory-policy", &record))
		return;
	struct plan wanted = plan_nested(record);
	for (struct plan rest = wanted; plan_find(&rest, "node", &record);) {
		unsigned long node = strtoul(record.value, NULL, 10);
		if (node < sizeof nodes * CHAR_BIT)
			nodes[node / (sizeof *nodes * CHAR_BIT)] |= 1UL << (node % (sizeof *nodes * CHAR_BIT));
	}
	bool any = plan_get(wanted, "node") != NULL;
	if (syscall(SYS_set_mempolicy, (int)plan_unsigned(wanted, "mode", 0), any ? nodes : NULL,
		    any ? sizeof nodes * CHAR_BIT : 0))
		die_errno("set memory policy");
}

/* Whether the container's root could enter cwd; else the user must. */
static bool entered;

/* Enters cwd; refuses a directory that is not below the container's root (CVE-2024-21626). */
static bool enter(const char *cwd)
{
	char real[PATH_MAX];
	if (chdir(cwd))
		return false;
	if (syscall(SYS_getcwd, real, sizeof real) < 0 || real[0] != '/')
		die(CANNOT_START "cwd %s: current directory is outside of the container's root", cwd);
	return true;
}

void process_make_cwd(struct plan process, int root)
{
	const char *cwd = plan_get(process, "cwd");
	mode_t mask = umask(022);
	int made = root_make(root, cwd, KIND_DIRECTORY);
	struct stat info;
	if (made < 0 && errno != EACCES)
		die_errno(CANNOT_START "mkdir %s", cwd);
	if (made >= 0 && !fstat(made, &info) && !S_ISDIR(info.st_mode))
		die(CANNOT_START "mkdir %s: not a directory", cwd);
	if (made >= 0)
		close(made);
	umask(mask);
}

void process_prepare(struct plan process)
{
	const char *text;
	umask((mode_t)plan_unsigned(process, "umask", 022));
	set_scheduler(process);
	if ((text = plan_get(process, "ioprio")) &&
	    syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, (int)strtoul(text, NULL, 0)))
		die_errno("set I/O priority");
	process_pin(process, "affinity");
	if ((text = plan_get(process, "personality")) && personality(strtoul(text, NULL, 0)) < 0)
		die_errno("set personality");
	set_memory_policy(process);

	const char *cwd = plan_get(process, "cwd");
	/* Root may enter what the user may not, and the user what (on NFS, or in a user namespace) root may not. */
	entered = enter(cwd);
	if (!entered && errno != EACCES && errno != EPERM)
		die_errno(CANNOT_START "chdir to cwd (\"%s\") set in config.json failed", cwd);
}

/* The user reopens /dev/stdout and the like by name: give him those that are not devices for all. */
static void own_stdio(uid_t uid)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat info;
		if (fstat(fd, &info) || info.st_uid == uid || (S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3)))
			continue;
		if (fchown(fd, uid, info.st_gid) && errno != EINVAL && errno != EPERM && errno != EROFS)
			die_errno("give descriptor %d to the user", fd);
	}
}

static int load_filter(struct plan process)
{
	struct record record;
	struct plan rest = process;
	if (!plan_find(&rest, "seccomp", &record))
		return -1;
	if (record.length % 8 || record.length / 8 > BPF_MAXINSNS)
		die("load the seccomp filter: its %zu bytes are no program", record.length);
	struct {
		unsigned short count;
		const void *filter;
	} program = { (unsigned short)(record.length / 8), record.value };
	long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      (unsigned int)plan_unsigned(process, "seccomp-flags", 0), &program);
	if (result < 0)
		die_errno("load the seccomp filter");
	return (int)result;
}

static bool filter_waits(struct plan process)
{
	return plan_get(process, "no-new-privileges") && !plan_get(process, "seccomp-listener");
}

static void filter_early(struct plan process, int socket)
{
	if (filter_waits(process))
		return;
	int listener = load_filter(process);
	if (!plan_get(process, "seccomp-listener"))
		return;
	if (message_send(socket, 'L', "", listener))
		die_errno("send the seccomp listener");
	close(listener);
}

void process_filter_late(struct plan process)
{
	if (filter_waits(process))
		load_filter(process);
}

static void set_groups(struct plan process)
{
	size_t count = plan_count(process, "group");
	gid_t *groups = calloc(count + 1, sizeof *groups);
	struct record record;
	if (!groups)
		die("out of memory");
	for (size_t i = 0; plan_find(&process, "group", &record); i++)
		groups[i] = (gid_t)strtoul(record.value, NULL, 10);
	if (setgroups(count, groups))
		die_errno("set additional groups");
	free(groups);
}

static void set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[2], want[2];
	if (syscall(SYS_capget, &header, have))
		die_errno("read capabilities");
	uint64_t limit = have[0].permitted | ((uint64_t)have[1].permitted << 32);
	permitted &= limit;
	effective &= permitted;
	for (int half = 0; half < 2; half++) {
		want[half].effective = (uint32_t)(effective >> (32 * half));
		want[half].permitted = (uint32_t)(permitted >> (32 * half));
		want[half].inheritable = (uint32_t)(inheritable >> (32 * half));
	}
	if (syscall(SYS_capset, &header, want))
		die_errno("set capabilities");
}

static void set_ambient(uint64_t ambient)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		die_errno("clear ambient capabilities");
	for (unsigned int number = 0; number < 64; number++)
		if (ambient >> number & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0))
			warn("ambient capability %u cannot be raised: %s", number, error_text(errno));
}

void process_become(struct plan process, int socket)
{
	uid_t uid = (uid_t)plan_unsigned(process, "uid", 0);
	gid_t gid = (gid_t)plan_unsigned(process, "gid", 0);
	uint64_t bounding = plan_unsigned(process, "cap-bounding", 0);
	own_stdio(uid);
	bool privileged_filter = !plan_get(process, "no-new-privileges");
	if (privileged_filter)
		filter_early(process, socket);
	/* Before the ids change: afterwards the effective set is empty and drops fail. */
	for (unsigned int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		if (!(bounding >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0))
			die_errno("drop capability %u", number);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		die_errno("keep capabilities");
	set_groups(process);
	if (setresgid(gid, gid, gid))
		die_errno("setgid %u", gid);
	if (setresuid(uid, uid, uid))
		die_errno("setuid %u", uid);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	set_capabilities(plan_unsigned(process, "cap-effective", 0), plan_unsigned(process, "cap-permitted", 0),
			 plan_unsigned(process, "cap-inheritable", 0));
	set_ambient(plan_unsigned(process, "cap-ambient", 0));
	const char *cwd = plan_get(process, "cwd");
	if (!entered && !enter(cwd))
		die_errno(CANNOT_START "chdir to cwd (\"%s\") set in config.json failed", cwd);
	if (plan_get(process, "no-new-privileges") && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die_errno("set no_new_privs");
	if (!privileged_filter)
		filter_early(process, socket);
}
