/* The --log file of a command whose last part is this program. */
#ifndef LXCRI_ERRORLOG_H
#define LXCRI_ERRORLOG_H

#include "plan.h"

/*
 * From now on errors and warnings of this process go to standard error as the plan's `program: text` and, where
 * it names a log file, to that as the text or JSON line that the TypeScript side writes.
 */
void errorlog_open(struct plan plan);
/* The same without a plan: a path or NULL, and whether lines are JSON. */
void errorlog_use(const char *path, bool json);

#endif
