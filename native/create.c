#include "create.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ahead.h"
#include "descriptors.h"
#include "hooks.h"
#include "listener.h"
#include "message.h"
#include "mounts.h"
#include "process.h"
#include "protect.h"

/* How long LXC and the stage may be silent, ms. Hooks of the container have no limit but their own. */
#define SILENCE_MS 60000

static pid_t monitor;
static struct create create;

/* Nothing of a failed create may live on: LXC's monitor removes the groups that it made when it can. */
static void end_monitor(void)
{
	if (monitor > 0) {
		kill(monitor, SIGKILL);
		waitpid(monitor, NULL, 0);
	}
	struct record record;
	for (struct plan rest = create.plan; plan_find(&rest, "monitor-cgroup", &record);)
		rmdir(record.value);
}

/* The namespace whose file the plan names, or -1. */
static int open_namespace(const char *key)
{
	const char *path = plan_get(create.plan, key);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (path && fd < 0)
		die_errno("open namespace %s", path);
	return fd;
}

/* Ahead of the engine: it has to hear that nothing more comes, and to say how the command ends. */
static int engine_socket = -1;

static int yield_to_engine(void)
{
	unsigned char status;
	shutdown(engine_socket, SHUT_WR);
	return read(engine_socket, &status, 1) == 1 ? status : ahead_engine_status();
}

static void end_create(void)
{
	end_monitor();
	if (engine_socket >= 0)
		_exit(yield_to_engine());
}

static void open_descriptors(void)
{
	int first = 3 + (int)plan_number(create.process, "preserve", 0);
	descriptors_reserve(3, first - 1);
	if (first < 100)
		first = 100;
	for (int fd = 0; fd < 3; fd++) {
		create.stdio[fd] = fcntl(fd, F_DUPFD_CLOEXEC, first);
		if (create.stdio[fd] < 0 && errno == EBADF)
			create.stdio[fd] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (create.stdio[fd] < 0)
			die_errno("keep descriptor %d", fd);
	}
	const char *path = plan_get(create.plan, "start-fifo");
	create.start = open(path, O_RDWR | O_CLOEXEC);
	if (create.start < 0)
		die_errno("open %s", path);
	path = plan_get(create.plan, "result-fifo");
	create.result = open(path, O_RDWR | O_CLOEXEC);
	if (create.result < 0)
		die_errno("open %s", path);
	create.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (create.proc < 0)
		die_errno("open /proc");
	create.mounts = open_namespace("mount-namespace");
	create.cgroups = open_namespace("cgroup-namespace");
	int ends[2];
	message_pair(ends);
	create.outer = ends[0];
	create.inner = ends[1];
}

/* In a user namespace the mapped root must reach the root file system through its parents: bind it within reach. */
static void reach_rootfs(struct plan plan)
{
	const char *reach = plan_get(plan, "rootfs-reach"), *rootfs = plan_get(plan, "rootfs");
	if (!reach)
		return;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount(rootfs, reach, NULL, MS_BIND | MS_REC, NULL))
		die_errno("bind the root file system %s on %s", rootfs, reach);
}

/* Children of this process get the time namespace; LXC itself can neither join one nor set both parts of an offset. */
static void enter_time(struct plan plan)
{
	const char *path = plan_get(plan, "time-path");
	struct record record;
	if (path) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWTIME))
			die_errno("join time namespace %s", path);
		close(fd);
	}
	if (!plan_get(plan, "time-new"))
		return;
	if (unshare(CLONE_NEWTIME))
		die_errno("make a time namespace");
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	for (struct plan rest = plan; plan_find(&rest, "time-offset", &record);)
		if (fd < 0 || write(fd, record.value, record.length) != (ssize_t)record.length)
			die_errno("set time offset %s", record.value);
	if (fd >= 0)
		close(fd);
}

static _Noreturn void run_monitor(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* With these open here, neither the stage nor the engine would notice the command's end. */
	close(create.outer);
	if (engine_socket >= 0)
		close(engine_socket);
	report_to(create.inner);
	signal(SIGPIPE, SIG_IGN);
	/* As root LXC would call newuidmap and ask for /etc/subuid; not found, it writes the maps itself. */
	clearenv();
	setenv("PATH", "/none", 1);
	reach_rootfs(create.plan);
	enter_time(create.plan);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			die_errno("/dev/null");
	lxc_build(&create);
	_exit(1);
}

/* The parent of a process, in our pid namespace. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[256];
	pid_t parent = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (file)
		fclose(file);
	return parent;
}

/* LXC's first complaint that says something. */
static const char *lxc_complaint(struct plan plan)
{
	static char text[1024];
	char line[1024];
	text[0] = '\0';
	FILE *file = fopen(plan_get(plan, "lxc-log"), "re");
	while (file && !*text && fgets(line, sizeof line, file)) {
		char *at = strstr(line, " ERROR ");
		if (!at || strstr(line, "/dev/null"))
			continue;
		at += strlen(" ERROR ");
		at += strspn(at, " ");
		at[strcspn(at, "\n")] = '\0';
		snprintf(text, sizeof text, "%s", at);
	}
	if (file)
		fclose(file);
	return *text ? text : "it ended without a word";
}

static int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		die_errno("pidfd of init %d", pid);
	return fd;
}

static void send_pidfd(struct plan plan, pid_t init)
{
	const char *path = plan_get(plan, "pidfd-socket");
	if (!path)
		return;
	int socket = message_connect(path, "pidfd socket"), fd = pidfd_of(init);
	if (message_send(socket, 'p', "idfd", fd))
		die_errno("pidfd socket %s: send", path);
	close(fd);
	close(socket);
}

static int console_open(struct plan plan)
{
	const char *path = plan_get(plan, "console-socket");
	return path ? message_connect(path, "console socket") : (int)plan_number(plan, "console-fd", -1);
}

static pid_t serve(int console)
{
	struct plan plan = create.plan;
	struct message message;
	int patience = SILENCE_MS;
	for (;;) {
		int got = message_receive(create.outer, &message, patience);
		patience = SILENCE_MS;
		if (got < 0)
			die_errno("hear LXC and the container's init (%s)", lxc_complaint(plan));
		if (got == 0) {
			int status = 0;
			waitpid(monitor, &status, 0);
			monitor = 0;
			die("LXC could not build the container: %s", lxc_complaint(plan));
		}
		switch (message.letter) {
		case 'P': {
			pid_t init = parent_of(message.sender);
			hooks_run(plan, "prestart", init, "creating", false);
			hooks_run(plan, "createRuntime", init, "creating", false);
			if (message_send(create.outer, 'G', "", -1))
				die_errno("answer the mount hook");
			break;
		}
		case 'T':
			if (console < 0)
				die("the container has a terminal, but no console socket is given");
			if (message_send(console, 0, message.text, message.fd))
				die_errno("send the terminal to the console socket");
			close(message.fd);
			break;
		case 'L':
			listener_send(plan, message.sender, "creating", message.fd);
			close(message.fd);
			break;
		case 'R':
			return message.sender;
		case 'W':
			warn("%s", message.text);
			break;
		case 'H':
			patience = -1;
			break;
		default:
			die("%s", message.text);
		}
	}
}

int create_main(int plan_fd, int result_fd, bool ahead)
{
	pid_t caller = getppid();
	if (ahead)
		engine_socket = result_fd;
	else
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	report_to(result_fd);
	report_at_death(end_create);
	create.plan = plan_load(plan_fd);
	struct record record;
	struct plan rest = create.plan;
	if (!plan_find(&rest, "process", &record))
		die("plan: no process");
	create.process = plan_nested(record);
	if (getppid() != caller)
		die("the caller has ended");
	int console = console_open(create.plan);
	open_descriptors();
	hooks_log(create.plan);
	mounts_open(create.plan);
	protect_open(create.plan);
	pid_t self = getpid();
	monitor = fork();
	if (monitor < 0)
		die_errno("fork");
	if (!monitor) {
		report_at_death(NULL);
		run_monitor(self);
	}
	close(create.inner);
	pid_t init = serve(console);
	process_score(create.process, init);
	if (plan_get(create.plan, "user-namespace"))
		process_limit(create.process, init);
	send_pidfd(create.plan, init);
	end_monitor();
	char text[32];
	snprintf(text, sizeof text, "%d", init);
	report('R', text);
	return ahead ? yield_to_engine() : 0;
}
