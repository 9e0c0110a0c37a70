/* Which process a pid means: it may be used again, with its start time it may not. */
#ifndef LXCRI_IDENTITY_H
#define LXCRI_IDENTITY_H

#include <stdbool.h>

#include "plan.h"

/* Whether the plan's `pid` is still the process that it was, by `start-time`, and no zombie. */
bool identity_holds(struct plan plan);

#endif
