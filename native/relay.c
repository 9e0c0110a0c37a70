#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"

/* One direction of the terminal's traffic. */
struct flow {
	int from, to;
	char data[4096];
	size_t used;
};

static struct termios before;
static bool raw;

void relay_prepare(void)
{
	sigset_t all;
	sigfillset(&all);
	/* Faults of our own are not for the container; job control stops us, not it. */
	const int own[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU, SIGTSTP };
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		sigdelset(&all, own[i]);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGTTOU, SIG_IGN);
}

static void set_raw(void)
{
	struct termios wanted;
	if (tcgetattr(STDIN_FILENO, &before))
		return;
	wanted = before;
	cfmakeraw(&wanted);
	raw = !tcsetattr(STDIN_FILENO, TCSANOW, &wanted);
}

static void restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	raw = false;
}

static void copy_size(int master)
{
	struct winsize size;
	if (!ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
		ioctl(master, TIOCSWINSZ, &size);
}

/* Moves what can be moved now; false when this direction has ended. */
static bool flow_step(struct flow *flow, short from, short to)
{
	if (!flow->used && from) {
		ssize_t size = read(flow->from, flow->data, sizeof flow->data);
		if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		flow->used = size > 0 ? (size_t)size : 0;
	}
	size_t at = 0;
	if (flow->used && (to || from)) {
		ssize_t size = write(flow->to, flow->data, flow->used);
		if (size < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		at = size > 0 ? (size_t)size : 0;
	}
	for (size_t i = 0; at && i + at < flow->used; i++)
		flow->data[i] = flow->data[i + at];
	flow->used -= at;
	return true;
}

/* What the terminal still holds when the process has ended. */
static void flow_drain(struct flow *flow)
{
	fcntl(flow->from, F_SETFL, fcntl(flow->from, F_GETFL) | O_NONBLOCK);
	struct pollfd ready = { .fd = flow->from, .events = POLLIN };
	while (flow_step(flow, 1, 1) && (flow->used || (poll(&ready, 1, 0) > 0 && ready.revents & POLLIN)))
		;
}

/* Takes pending signals; true when child pid has ended, with its status. */
static bool take_signals(int signals, pid_t pid, int master, int *status)
{
	struct signalfd_siginfo info;
	bool ended = false;
	while (read(signals, &info, sizeof info) == sizeof info) {
		int number = (int)info.ssi_signo;
		if (number == SIGCHLD) {
			int state;
			pid_t one;
			/* As subreaper we also get what the container leaves behind. */
			while ((one = waitpid(-1, &state, WNOHANG)) > 0)
				if (one == pid) {
					*status = WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
					ended = true;
				}
		} else if (number == SIGWINCH && master >= 0) {
			copy_size(master);
		} else if (number != SIGPIPE && number != SIGURG) {
			kill(pid, number);
		}
	}
	return ended;
}

int relay_run(pid_t pid, int master)
{
	sigset_t passed;
	sigprocmask(SIG_SETMASK, NULL, &passed);
	int signals = signalfd(-1, &passed, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		die_errno("signalfd");
	struct flow in = { .from = STDIN_FILENO, .to = master }, out = { .from = master, .to = STDOUT_FILENO };
	bool reading = master >= 0, writing = master >= 0;
	if (master >= 0) {
		set_raw();
		copy_size(master);
	}
	int status = 1;
	/* The child may have ended before its signal was blocked. */
	bool ended = false;
	kill(getpid(), SIGCHLD);
	while (!ended) {
		struct pollfd waits[5] = {
			{ signals, POLLIN, 0 },
			{ reading && !in.used ? STDIN_FILENO : -1, POLLIN, 0 },
			{ reading && in.used ? master : -1, POLLOUT, 0 },
			{ writing && !out.used ? master : -1, POLLIN, 0 },
			{ writing && out.used ? STDOUT_FILENO : -1, POLLOUT, 0 },
		};
		if (poll(waits, 5, -1) < 0 && errno != EINTR)
			die_errno("poll");
		if (waits[0].revents)
			ended = take_signals(signals, pid, master, &status);
		if (waits[1].revents || waits[2].revents)
			reading = flow_step(&in, waits[1].revents, waits[2].revents);
		if (waits[3].revents || waits[4].revents)
			writing = flow_step(&out, waits[3].revents, waits[4].revents);
	}
	if (writing)
		flow_drain(&out);
	restore();
	close(signals);
	return status;
}
