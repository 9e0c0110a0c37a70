#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "errorlog.h"
#include "identity.h"
#include "label.h"
#include "listener.h"
#include "message.h"
#include "namespaces.h"
#include "process.h"
#include "program.h"
#include "relay.h"
#include "signals.h"
#include "terminal.h"

static struct plan load(int plan_fd, struct plan *process)
{
	struct plan plan = plan_load(plan_fd);
	struct record record;
	struct plan rest = plan;
	close(plan_fd);
	errorlog_open(plan);
	if (plan_find(&rest, "process", &record))
		*process = plan_nested(record);
	return plan;
}

/* The container's init by descriptor, sure to be the one that the plan means. */
static int open_init(struct plan plan, pid_t init)
{
	int fd = (int)syscall(SYS_pidfd_open, init, 0);
	if (fd < 0 || !identity_holds(plan))
		die("container not running");
	return fd;
}

static void join_groups(struct plan plan)
{
	struct record record;
	while (plan_find(&plan, "cgroup", &record)) {
		int fd = open(record.value, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			die_errno("join cgroup %s", record.value);
		close(fd);
	}
}

static void join_namespaces(int init, int flags)
{
	/* The user namespace last: before it we have the host's privilege over those that it does not own. */
	int others = flags & ~(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME);
	if (others && setns(init, others))
		die_errno("join the container's namespaces");
	if (!(flags & CLONE_NEWUSER))
		return;
	if (setns(init, CLONE_NEWUSER) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		die_errno("join the container's user namespace");
}

/* The root of a container that has no mount namespace of its own, where the namespace's root is another; else -1. */
static int open_root(struct plan plan)
{
	char path[64];
	if (!plan_get(plan, "chroot"))
		return -1;
	snprintf(path, sizeof path, "/proc/%s/root", plan_get(plan, "pid"));
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die_errno("open the container's root");
	return fd;
}

static _Noreturn void run_process(struct plan plan, struct plan process, int init, int flags, int socket)
{
	report_to(socket);
	/* Before the group is joined: its cpuset bounds what is asked for from then on. */
	process_pin(process, "affinity-initial");
	process_score(process, 0);
	join_groups(plan);
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		die_errno("open /proc");
	label_set(process, proc);
	close(proc);
	process_limit(process, 0);
	int own_root = open_root(plan);
	join_namespaces(init, flags);
	close(init);
	if (own_root >= 0 && (fchdir(own_root) || chroot(".")))
		die_errno("enter the container's root");
	if (own_root >= 0)
		close(own_root);
	setsid();
	signals_reset();
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || chdir("/"))
		die_errno("enter the container's root");
	if (plan_get(process, "terminal"))
		terminal_take(process, root, socket, false);
	process_prepare(process);
	close(root);
	/* Here, where no filter of the user's forbids it yet. */
	descriptors_close(3 + (unsigned int)plan_unsigned(process, "preserve", 0), &socket, 1);
	process_become(process, socket);
	const char *file = program_find(process);
	program_execute(process, file);
	program_failed(file, errno);
}

/* The process that runs already when its caller cannot be told of it. */
static pid_t untold;

static void end_untold(void)
{
	/* Not waited for: in a paused container it ends later. */
	if (untold > 0)
		kill(untold, SIGKILL);
}

static void write_pid_file(struct plan plan, pid_t pid)
{
	const char *path = plan_get(plan, "pid-file");
	if (!path)
		return;
	char temporary[4096], text[32];
	int length = snprintf(text, sizeof text, "%d", pid);
	if (snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, getpid()) >= (int)sizeof temporary)
		die("pid file %s: name too long", path);
	/* A device such as /dev/null is written to, never replaced. */
	struct stat info;
	bool special = !lstat(path, &info) && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode);
	int fd = special ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
			 : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)length) != length || (!special && rename(temporary, path))) {
		int number = errno;
		if (fd >= 0 && !special)
			unlink(temporary);
		errno = number;
		die_errno("write pid file %s", path);
	}
	close(fd);
}

static void send_pidfd(struct plan plan, pid_t pid)
{
	const char *path = plan_get(plan, "pidfd-socket");
	if (!path)
		return;
	int socket = message_connect(path, "pidfd socket");
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 || message_send(socket, 'p', "idfd", fd))
		die_errno("pidfd socket %s: send", path);
	close(fd);
	close(socket);
}

/* Takes the child's messages until it has become its program; the terminal's master when we keep it, or -1. */
static int follow_child(struct plan plan, pid_t child, int socket, int console)
{
	struct message message;
	int master = -1, got;
	while ((got = message_receive(socket, &message, -1)) > 0) {
		switch (message.letter) {
		case 'T':
			if (console < 0) {
				master = message.fd;
				break;
			}
			if (message_send(console, 0, message.text, message.fd))
				die_errno("send the terminal to the console socket");
			close(message.fd);
			break;
		case 'L':
			listener_send(plan, child, "running", message.fd);
			close(message.fd);
			break;
		case 'W':
			warn("%s", message.text);
			break;
		default: /* It ends by itself. */
			waitpid(child, NULL, 0);
			untold = 0;
			die("%s", message.text);
		}
	}
	if (got < 0)
		die_errno("exec");
	return master;
}

int exec_main(int plan_fd)
{
	struct plan process = { NULL, NULL };
	struct plan plan = load(plan_fd, &process);
	signals_reset();
	/* What joins the container must not be traced or read from inside. */
	prctl(PR_SET_DUMPABLE, 0);
	const char *path = plan_get(plan, "console-socket");
	int console = path ? message_connect(path, "console socket") : -1;
	pid_t init_pid = (pid_t)plan_number(plan, "pid", 0);
	int init = open_init(plan, init_pid), flags = namespaces_differing(init_pid), ends[2];
	bool detach = plan_get(plan, "detach") != NULL;
	message_pair(ends);
	/* Of these two only children become members. */
	if (flags & CLONE_NEWTIME && setns(init, CLONE_NEWTIME))
		die_errno("join the container's time namespace");
	if (flags & CLONE_NEWPID && setns(init, CLONE_NEWPID))
		die_errno("join the container's pid namespace");
	if (!detach)
		relay_prepare();
	pid_t child = fork();
	if (child < 0)
		die_errno("fork");
	if (!child) {
		close(ends[0]);
		run_process(plan, process, init, flags, ends[1]);
	}
	close(ends[1]);
	close(init);
	untold = child;
	report_at_death(end_untold);
	int master = follow_child(plan, child, ends[0], console);
	send_pidfd(plan, child);
	write_pid_file(plan, child);
	untold = 0;
	if (detach)
		return 0;
	return relay_run(child, master);
}
