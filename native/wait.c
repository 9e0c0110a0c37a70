#include "wait.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errorlog.h"
#include "message.h"
#include "plan.h"
#include "relay.h"
#include "shortcut.h"
#include "signals.h"
#include "start.h"

static struct plan plan;
/* The container's, while this process starts it; else -1. */
static int lock = -1;

static void unlock(void)
{
	if (lock >= 0)
		close(lock);
	lock = -1;
}

static void clean_up(void)
{
	/* The start has failed, it may be: the clean-up takes the lock itself. */
	unlock();
	char **command = plan_list(plan, "cleanup");
	if (!command[0])
		return;
	pid_t child = fork();
	if (!child) {
		signals_reset();
		execv(command[0], command);
		_exit(127);
	}
	int state = 0;
	if (child < 0 || waitpid(child, &state, 0) != child || state)
		warn("cleaning up after the container failed; `delete --force` finishes it");
}

/* Only once signals are kept for the container: before, one would end this process and leave it alone. */
static void start(void)
{
	struct gate gate;
	struct record record;
	struct plan rest = plan;
	if (!plan_find(&rest, "start", &record))
		die("plan: no start");
	struct plan how = plan_nested(record);
	lock = shortcut_lock(how);
	if (lock < 0)
		die("start the container: another command is at work on it");
	if (!gate_open(how, &gate))
		die("start the container: its init has ended");
	gate_start(how, gate);
	unlock();
}

static int take_terminal(void)
{
	struct message message;
	int console = (int)plan_number(plan, "console-fd", -1);
	if (console < 0)
		return -1;
	if (message_receive(console, &message, 1000) != 1)
		die("the container's terminal did not arrive");
	close(console);
	return message.fd;
}

int wait_main(int plan_fd)
{
	plan = plan_load(plan_fd);
	close(plan_fd);
	errorlog_open(plan);
	report_at_death(clean_up);
	signals_reset();
	relay_prepare();
	int master = take_terminal();
	start();
	int status = relay_run((pid_t)plan_number(plan, "pid", 0), master);
	clean_up();
	return status;
}
