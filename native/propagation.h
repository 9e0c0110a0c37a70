/* Which mounts of the container see those that are made later on the host, and the other way round. */
#ifndef LXCRI_PROPAGATION_H
#define LXCRI_PROPAGATION_H

#include "plan.h"

/* In the container's own tree, after pivot_root: gives each mount the propagation that the plan asks for. */
void propagation_apply(struct plan plan, int host_proc);

#endif
