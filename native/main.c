/*
 * The only C program: what must happen between LXC's set-up of a container and the user's program, and what must
 * not cost a JavaScript process. It decides nothing; src/lxc/ hands it one plan.
 *
 *   native create PLAN_FD RESULT_FD    builds a container up to its start
 *   native exec PLAN_FD                runs one more process in it; ahead.h has a quicker way
 *   native wait PLAN_FD                what a foreground `run` becomes
 *   native start PLAN_FD RESULT_FD     wakes a created container; shortcut.h has a shorter way
 *   native hooks PLAN_FD RESULT_FD     runs poststart and poststop hooks
 *
 * It is started from a sealed copy of itself in memory (CVE-2019-5736), which src/lxc/native.ts makes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ahead.h"
#include "create.h"
#include "exec.h"
#include "hooks.h"
#include "report.h"
#include "shortcut.h"
#include "start.h"
#include "wait.h"

static int hooks_main(int plan_fd, int result_fd)
{
	report_to(result_fd);
	struct plan plan = plan_load(plan_fd);
	hooks_log(plan);
	hooks_run(plan, plan_get(plan, "kind"), (pid_t)plan_number(plan, "pid", 0), plan_get(plan, "status"), true);
	return 0;
}

int main(int argc, char **argv)
{
	prctl(PR_SET_NAME, "lxcri");
	if (argc == 4 && !strcmp(argv[1], "create"))
		return create_main(atoi(argv[2]), atoi(argv[3]), false);
	if (argc == 3 && !strcmp(argv[1], "exec"))
		return exec_main(atoi(argv[2]));
	if (argc >= 3 && (!strcmp(argv[1], "exec-ahead") || !strcmp(argv[1], "create-ahead")))
		return ahead_main(argv[1], argv[2], argc == 4);
	if (argc == 4 && !strcmp(argv[1], "start"))
		return start_main(atoi(argv[2]), atoi(argv[3]));
	if (argc > 5 && !strcmp(argv[1], "start-now"))
		return shortcut_start(argv + 2);
	if (argc > 5 && !strcmp(argv[1], "delete-now"))
		return shortcut_delete(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "wait"))
		return wait_main(atoi(argv[2]));
	if (argc == 4 && !strcmp(argv[1], "hooks"))
		return hooks_main(atoi(argv[2]), atoi(argv[3]));
	fprintf(stderr, "proxmox-lxcri-native is part of proxmox-lxcri and not started by hand\n");
	return 2;
}
