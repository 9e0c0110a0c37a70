#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hooks.h"
#include "identity.h"
#include "report.h"
#include "shortcut.h"

bool gate_open(struct plan plan, struct gate *gate)
{
	if (!identity_holds(plan))
		return false;
	gate->result = open(plan_get(plan, "result-fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	gate->start = open(plan_get(plan, "start-fifo"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return gate->result >= 0 && gate->start >= 0;
}

/* Wakes the stage; dies with its last words where it does not become the program. */
static void gate_pass(struct gate gate)
{
	char said[2 * MESSAGE_MAX];
	size_t used = 0;
	ssize_t size;
	fcntl(gate.result, F_SETFL, 0);
	/* Where init ends at this moment, that is an error with a text. */
	signal(SIGPIPE, SIG_IGN);
	if (write(gate.start, "s", 1) != 1)
		die_errno("start the container's init");
	close(gate.start);
	while (used < sizeof said - 1 && (size = read(gate.result, said + used, sizeof said - 1 - used)) != 0) {
		if (size < 0 && errno != EINTR)
			die_errno("hear the container's init");
		used += size > 0 ? (size_t)size : 0;
	}
	close(gate.result);
	said[used] = '\0';
	for (char *rest = said, *line; (line = strsep(&rest, "\n"));) {
		if (*line == 'E')
			die("%s", line + 1);
		if (*line == 'W')
			warn("%s", line + 1);
	}
}

void gate_start(struct plan plan, struct gate gate)
{
	gate_pass(gate);
	shortcut_event(plan, "start");
	hooks_log(plan);
	hooks_run(plan, "poststart", (pid_t)plan_number(plan, "pid", 0), "running", true);
}

int start_main(int plan_fd, int result_fd)
{
	struct gate gate;
	report_to(result_fd);
	struct plan plan = plan_load(plan_fd);
	if (!gate_open(plan, &gate))
		die("the container's init has ended");
	gate_start(plan, gate);
	return 0;
}
