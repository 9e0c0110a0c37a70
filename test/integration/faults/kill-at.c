/*
 * Runs a command and kills it at one of its steps: a step is a system call that changes something, made by any
 * process of the command, counted over all of them.
 *
 *   kill-at REPORT WHO STEP COMMAND [ARG...]
 *
 * WHO is killed when step STEP (from 1; 0: nobody) is about to be made: `caller`, the process that makes it; `first`,
 * the command itself; `all`, every process of it. REPORT gets "STEPS CALL COMM": steps seen, number of the system
 * call and name of its maker where somebody was killed, else "STEPS - -". Ends as the command ends; what the command
 * leaves running goes on untraced.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PR_SET_PDEATHSIG 1
#define TASKS_MAX 4096

static const long steps[] = {
	SYS_write, SYS_pwrite64, SYS_writev, SYS_sendmsg, SYS_sendto, SYS_ftruncate, SYS_flock,
	SYS_rename, SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat, SYS_symlink, SYS_symlinkat, SYS_unlink, SYS_unlinkat,
	SYS_mkdir, SYS_mkdirat, SYS_rmdir, SYS_mknod, SYS_mknodat,
	SYS_chmod, SYS_fchmod, SYS_fchmodat, SYS_chown, SYS_fchown, SYS_lchown, SYS_fchownat,
	SYS_memfd_create, SYS_socketpair, SYS_connect,
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_chdir, SYS_fchdir,
	SYS_fsopen, SYS_fsmount, SYS_move_mount, SYS_open_tree, SYS_mount_setattr,
	SYS_unshare, SYS_setns, SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, SYS_execve, SYS_execveat, SYS_exit_group,
	SYS_wait4, SYS_waitid, SYS_kill, SYS_tgkill, SYS_pidfd_send_signal,
	SYS_setsid, SYS_sethostname, SYS_setdomainname, SYS_setgroups, SYS_setresuid, SYS_setresgid, SYS_capset,
	SYS_seccomp, SYS_dup2,
};

static pid_t tasks[TASKS_MAX];
static size_t task_count;

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static void remember(pid_t task)
{
	for (size_t i = 0; i < task_count; i++)
		if (tasks[i] == task)
			return;
	if (task_count == TASKS_MAX)
		fail("too many processes");
	tasks[task_count++] = task;
}

static void forget(pid_t task)
{
	for (size_t i = 0; i < task_count; i++)
		if (tasks[i] == task)
			tasks[i] = tasks[--task_count];
}

static bool is_step(const struct __ptrace_syscall_info *info)
{
	long call = (long)info->entry.nr;
	if (call == SYS_openat || call == SYS_open) {
		unsigned long flags = info->entry.args[call == SYS_openat ? 2 : 1];
		return flags & (O_WRONLY | O_RDWR | O_CREAT);
	}
	if (call == SYS_prctl)
		return info->entry.args[0] == PR_SET_PDEATHSIG;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (steps[i] == call)
			return true;
	return false;
}

static void name_of(pid_t task, char *name, int size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/comm", task);
	FILE *file = fopen(path, "re");
	if (!file || !fgets(name, size, file))
		snprintf(name, (size_t)size, "?");
	name[strcspn(name, "\n ")] = '\0';
	if (file)
		fclose(file);
}

static pid_t begin(char **command)
{
	int go[2];
	if (pipe2(go, O_CLOEXEC))
		fail("pipe");
	pid_t child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		char byte;
		if (read(go[0], &byte, 1) != 1)
			_exit(125);
		execv(command[0], command);
		_exit(127);
	}
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	if (ptrace(PTRACE_SEIZE, child, 0, options) || ptrace(PTRACE_INTERRUPT, child, 0, 0) ||
	    waitpid(child, NULL, __WALL) != child || ptrace(PTRACE_SYSCALL, child, 0, 0))
		fail("ptrace");
	if (write(go[1], "g", 1) != 1)
		fail("pipe");
	close(go[0]);
	close(go[1]);
	return child;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	const char *who = argv[2];
	unsigned long at = strtoul(argv[3], NULL, 10), count = 0;
	pid_t first = begin(argv + 4), task;
	char killed[64] = "- -";
	int status, end = -1;
	remember(first);
	while (end < 0 && (task = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			forget(task);
			if (task == first)
				end = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		remember(task);
		int number = WSTOPSIG(status), event = status >> 16;
		struct __ptrace_syscall_info info;
		bool entry = number == (SIGTRAP | 0x80) &&
			     ptrace(PTRACE_GET_SYSCALL_INFO, task, sizeof info, &info) > 0 &&
			     info.op == PTRACE_SYSCALL_INFO_ENTRY;
		if (entry && is_step(&info) && ++count == at) {
			char name[16];
			name_of(task, name, sizeof name);
			snprintf(killed, sizeof killed, "%ld %s", (long)info.entry.nr, name);
			if (!strcmp(who, "caller"))
				kill(task, SIGKILL);
			else if (!strcmp(who, "first"))
				kill(first, SIGKILL);
			else
				for (size_t i = 0; i < task_count; i++)
					kill(tasks[i], SIGKILL);
		}
		/* A signal of the task's own is passed on; stops for us are not signals. */
		int pass = event || number == (SIGTRAP | 0x80) ? 0 : number;
		ptrace(PTRACE_SYSCALL, task, 0, (long)pass);
	}
	FILE *report = fopen(argv[1], "we");
	if (!report || fprintf(report, "%lu %s\n", count, killed) < 0 || fclose(report))
		fail(argv[1]);
	return end < 0 ? 125 : end;
}
