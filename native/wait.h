/* What a foreground `run` becomes. */
#ifndef LXCRI_WAIT_H
#define LXCRI_WAIT_H

/*
 * Starts the created container whose parent this process is, passes signals and its terminal on, waits for its end,
 * and runs the plan's `cleanup` command. Returns the container's exit status.
 */
int wait_main(int plan_fd);

#endif
