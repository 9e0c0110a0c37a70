/*
 * What the launcher has done without the engine: `start` of a created container, `delete` of a stopped one that left
 * nothing special. From a plan that create wrote; where anything is not as it should be, becomes the engine.
 */
#ifndef LXCRI_SHORTCUT_H
#define LXCRI_SHORTCUT_H

#include "plan.h"

/* `native start-now|delete-now PLAN LOG FORMAT ARGV...`; arguments from PLAN on. Returns the exit status. */
int shortcut_start(char **arguments);
int shortcut_delete(char **arguments);
/* The lock that the plan names (containers/lock.ts) when it is free, held until it is closed; -1 else. */
int shortcut_lock(struct plan plan);
/* Appends to the lifecycle log (telemetry/events.ts, which also rotates it). That it fails changes nothing. */
void shortcut_event(struct plan plan, const char *type);

#endif
