/*
 * The only place that calls liblxc. LXC ends its work by calling execvp for the container's program and execl for
 * its hooks' shell: both names (and symlinkat, umount2, recvmsg) are defined here and exported, so that the calls land
 * in this very process image, with all descriptors and privileges; no file of ours is needed in the container.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "create.h"
#include "report.h"
#include "root.h"

/* What stands for the mount hook in the container's LXC configuration; src/lxc/config.ts writes it. */
#define MOUNT_HOOK "proxmox-lxcri-mount-hook"

/* Set while LXC builds a container in this process. */
static struct create *building;
/* LXC's monitor, by pid and by descriptor. */
static pid_t monitor;
static int monitor_fd;

int execvp(const char *file, char *const argv[])
{
	if (building)
		stage_run(building);
	return execvpe(file, argv, environ);
}

int execl(const char *path, const char *arg, ...)
{
	char *args[64] = { (char *)arg };
	va_list rest;
	va_start(rest, arg);
	size_t count = 1;
	while (count < 63 && (args[count] = va_arg(rest, char *)))
		count++;
	args[count] = NULL;
	va_end(rest);
	if (building && count == 3 && strstr(args[2], MOUNT_HOOK))
		_exit(mount_hook_run(building));
	return execv(path, args);
}

/*
 * LXC puts links for descriptors into the /dev that the image has, which is not the one that the container sees and
 * which the mapped root may not write to. The plan's own links are made in the right one.
 */
int symlinkat(const char *target, int directory, const char *name)
{
	return building ? 0 : link_at(target, directory, name);
}

/*
 * LXC takes away what is mounted on the pts of the image's /dev. Where the config mounts nothing on /dev itself, that
 * is the config's own mount.
 */
int umount2(const char *target, int flags)
{
	size_t length = strlen(target);
	bool is_pts = !strncmp(target, "/proc/self/fd/", 14) && length > 4 && !strcmp(target + length - 4, "/pts");
	return building && is_pts ? 0 : (int)syscall(SYS_umount2, target, flags);
}

/* Init ends with the monitor; LXC sees to that only later, after its first wait for the monitor. */
static void end_with_monitor(void)
{
	struct pollfd ended = { .fd = monitor_fd, .events = POLLIN };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&ended, 1, 0))
		_exit(1);
}

/* Waits until there is something to receive: 0, or -1 and errno where init ended instead. */
static int wait_for_init(int socket)
{
	struct pollfd ready = { .fd = socket, .events = POLLIN };
	sigset_t mask;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigdelset(&mask, SIGCHLD);
	while (poll(&ready, 1, 0) == 0) {
		siginfo_t child = { .si_pid = 0 };
		if (!waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) && child.si_pid && !poll(&ready, 1, 0)) {
			errno = ECONNRESET;
			return -1;
		}
		ppoll(&ready, 1, NULL, &mask);
	}
	return 0;
}

/*
 * LXC's monitor and init talk over a socket of which each of them holds both ends: either would wait for ever for
 * the other one once that is killed.
 */
ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	if (building && getpid() != monitor)
		end_with_monitor();
	else if (building && !(flags & MSG_DONTWAIT) && wait_for_init(socket))
		return -1;
	return syscall(SYS_recvmsg, socket, message, flags);
}

static void interrupt(int number)
{
	(void)number;
}

void lxc_build(struct create *create)
{
	const char *id = plan_get(create->plan, "id");
	void *library = dlopen("liblxc.so.1", RTLD_NOW | RTLD_LOCAL);
	struct lxc_container *(*make)(const char *, const char *) = NULL;
	if (library)
		*(void **)&make = dlsym(library, "lxc_container_new");
	if (!make)
		die("load liblxc.so.1: %s", dlerror());
	struct lxc_container *container = make(id, plan_get(create->plan, "lxc-path"));
	if (!container)
		die("LXC refuses the container %s", id);
	container->clear_config(container);
	const char *config = plan_get(create->plan, "lxc-config");
	if (!container->load_config(container, config))
		die("LXC refuses its configuration %s", config);
	container->want_daemonize(container, false);
	container->want_close_all_fds(container, false);
	/* LXC blocks the signal; a handler makes it end wait_for_init's wait. */
	signal(SIGCHLD, interrupt);
	monitor = getpid();
	monitor_fd = (int)syscall(SYS_pidfd_open, monitor, 0);
	if (monitor_fd < 0 || fcntl(monitor_fd, F_SETFD, FD_CLOEXEC))
		die_errno("open LXC's monitor");
	building = create;
	char *const args[] = { (char *)"stage", NULL };
	container->start(container, 0, args);
	building = NULL;
}
