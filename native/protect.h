/* Paths that the container must not see, or not write to. */
#ifndef LXCRI_PROTECT_H
#define LXCRI_PROTECT_H

#include "plan.h"

/* On the host: opens what the plan's masked files will be covered with. */
void protect_open(struct plan plan);
/* Hides the plan's masked paths and makes its readonly paths read-only, in the tree whose top is root. */
void protect_apply(struct plan plan, int root);

#endif
