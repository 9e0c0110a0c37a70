/*
 * The stage: runs as the container's init after LXC has built namespaces, cgroups and root, and before the user's
 * program. It has LXC's privileges, our descriptors, and nothing of it is visible in the container.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "create.h"
#include "descriptors.h"
#include "filesystem.h"
#include "hooks.h"
#include "label.h"
#include "message.h"
#include "mounts.h"
#include "process.h"
#include "program.h"
#include "propagation.h"
#include "protect.h"
#include "signals.h"
#include "terminal.h"

int mount_hook_run(struct create *create)
{
	report_to(create->inner);
	const char *path = getenv("LXC_ROOTFS_MOUNT");
	int root = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (root < 0)
		die_errno("open LXC's root file system %s", path ? path : "(not named)");
	mounts_place(create->plan, root);
	if (plan_get(create->plan, "runtime-hooks")) {
		/* The other end of a packet socket sees our pid; init is our parent. */
		char go;
		if (message_send(create->inner, 'P', "", -1) || recv(create->inner, &go, 1, 0) != 1)
			return 1;
	}
	if (message_send(create->inner, 'H', "", -1))
		return 1;
	hooks_run(create->plan, "createContainer", getppid(), "creating", false);
	close(root);
	return 0;
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request))
		die_errno("bring up loopback");
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die_errno("bring up loopback");
	close(fd);
}

static void set_names(struct plan plan)
{
	const char *name = plan_get(plan, "hostname");
	if (name && sethostname(name, strlen(name)))
		die_errno("set hostname %s", name);
	name = plan_get(plan, "domainname");
	if (name && setdomainname(name, strlen(name)))
		die_errno("set domainname %s", name);
}

/* Through the host's /proc: its sys/ shows the namespaces of who looks, and the container may have no /proc. */
static void set_sysctls(struct create *create)
{
	struct record record;
	for (struct plan rest = create->plan; plan_find(&rest, "sysctl", &record);) {
		struct plan item = plan_nested(record);
		const char *path = plan_get(item, "path"), *value = plan_get(item, "value");
		int fd = openat(create->proc, path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
			die_errno("set sysctl %s to %s", path + strlen("sys/"), value);
		close(fd);
	}
}

static void seal_root(struct plan plan, int root)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
	if (plan_get(plan, "root-readonly") && mount_setattr(root, "", AT_EMPTY_PATH, &attributes, sizeof attributes))
		die_errno("make the root file system read-only");
}

/*
 * A container in the caller's mount namespace, or in one given by its path: what LXC built in a namespace of its own
 * moves there as one tree, and becomes the process' root. Returns the root anew.
 */
static int move_tree(struct create *create, int root)
{
	const char *place = plan_get(create->plan, "mount-place");
	int tree = open_tree(root, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0 || setns(create->mounts, CLONE_NEWNS))
		die_errno("enter mount namespace %s", plan_get(create->plan, "mount-namespace"));
	int target = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0 || mount_move(tree, target))
		die_errno("mount the root file system on %s", place);
	if (fchdir(tree) || chroot("."))
		die_errno("change root to %s", place);
	close(target);
	close(root);
	close(create->mounts);
	return tree;
}

/* Blocks until `start` writes to the FIFO. */
static void wait_for_start(int fifo)
{
	char byte;
	ssize_t size;
	do
		size = read(fifo, &byte, 1);
	while (size < 0 && errno == EINTR);
	if (size != 1)
		_exit(1);
}

void stage_run(struct create *create)
{
	/* LXC's monitor ends soon; init must not end with it. */
	prctl(PR_SET_PDEATHSIG, 0);
	report_to(create->inner);
	signals_reset();
	prctl(PR_SET_NAME, "lxcri:init");

	struct plan plan = create->plan, process = create->process;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		die_errno("open /");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(create->stdio[fd], fd) < 0)
			die_errno("use the standard streams");
	/* go-runc reads create's output up to its end: with a terminal, nothing of it may stay open here. */
	for (int fd = 0; fd < 3; fd++)
		close(create->stdio[fd]);
	if (create->cgroups >= 0 && (setns(create->cgroups, CLONE_NEWCGROUP) || close(create->cgroups)))
		die_errno("join cgroup namespace %s", plan_get(plan, "cgroup-namespace"));
	if (plan_get(plan, "loopback"))
		loopback_up();
	set_names(plan);
	propagation_apply(plan, create->proc);
	if (plan_get(process, "terminal"))
		terminal_take(process, root, create->inner, true);
	set_sysctls(create);
	process_make_cwd(process, root);
	protect_apply(plan, root);
	seal_root(plan, root);
	if (create->mounts >= 0)
		root = move_tree(create, root);
	if (!plan_get(plan, "user-namespace"))
		process_limit(process, 0);
	process_prepare(process);
	/* Here, where nothing of the user's forbids it yet. Hooks that are forked from here get it too. */
	label_set(process, create->proc);
	/* LXC left the host's cgroup folders open, within reach of who can look into init while it waits. */
	int *keep = calloc(3 + plan_count(plan, "hook"), sizeof *keep);
	if (!keep)
		die("out of memory");
	size_t count = hooks_open(plan, "startContainer", keep);
	keep[count++] = create->inner;
	keep[count++] = create->start;
	keep[count++] = create->result;
	descriptors_close(3 + (unsigned int)plan_unsigned(process, "preserve", 0), keep, count);
	free(keep);

	process_become(process, create->inner);
	const char *file = program_find(process);
	if (message_send(create->inner, 'R', "", -1))
		_exit(1);
	close(create->inner);

	report_to(create->result);
	wait_for_start(create->start);
	hooks_run(plan, "startContainer", getpid(), "created", false);
	program_execute(process, file);
	program_failed(file, errno);
}
