/*
 * For tests: loads a filter in a child process, makes one system call there and prints what came of it.
 * load-filter PROGRAM-FILE FLAGS [i386:]NUMBER [ARG...]; prints "result signal answered".
 * The child shares this process's descriptors, so the listener can be answered here (with 77).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	volatile int listener, done;
	volatile long result;
};

static long call_i386(long nr, long a)
{
#ifdef __x86_64__
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a) : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
#else
	return -ENOSYS;
#endif
}

int main(int argc, char **argv)
{
	struct sock_filter code[4096];
	struct sock_fprog program = { .filter = code };
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC), i386 = strncmp(argv[3], "i386:", 5) == 0, status = 0, answered = 0;
	long size = read(fd, code, sizeof code), nr = atol(argv[3] + (i386 ? 5 : 0)), args[6] = { 0 };
	program.len = size / sizeof code[0];
	for (int i = 0; i < 6 && 4 + i < argc; i++)
		args[i] = strtoul(argv[4 + i], NULL, 0);
	shared->listener = -1;

	pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		long loaded = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strtoul(argv[2], NULL, 0), &program);
		if (loaded < 0) {
			perror("seccomp");
			_exit(9);
		}
		shared->listener = loaded;
		long result = i386 ? call_i386(nr, args[0]) :
			syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		shared->result = i386 || result != -1 ? result : -errno;
		shared->done = 1;
		for (;;) /* whatever exit would give under this filter */
			syscall(SYS_exit_group, 0), sched_yield();
	}
	for (int i = 0; i < 2000; i++) {
		if (waitpid(child, &status, WNOHANG) == child) {
			child = 0;
			break;
		}
		if (shared->done)
			break;
		struct pollfd listener = { .fd = shared->listener, .events = POLLIN };
		if (shared->listener > 0 && poll(&listener, 1, 1) == 1 && (listener.revents & POLLIN)) {
			struct seccomp_notif request = { 0 };
			struct seccomp_notif_resp response = { 0 };
			if (ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0) {
				response.id = request.id;
				if (request.data.nr == SYS_exit_group)
					response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
				else
					response.val = 77, answered++;
				ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
			}
		} else
			usleep(1000);
	}
	if (child != 0 && waitpid(child, &status, WNOHANG) == 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		status = 0;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
		return 1;
	printf("%ld %d %d\n", shared->result, WIFSIGNALED(status) ? WTERMSIG(status) : 0, answered);
	return 0;
}
