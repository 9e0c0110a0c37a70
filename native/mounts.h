/*
 * The container's mounts. Bind sources are opened on the host (mounts_open) as detached trees with their
 * attributes set; the mount hook, in the container's namespaces and before pivot_root, walks the list in order
 * and places them (mounts_place). Neither can be led out of the root by what the image holds.
 */
#ifndef LXCRI_MOUNTS_H
#define LXCRI_MOUNTS_H

#include "plan.h"

/* Opens the sources of the plan's binds, and its bound devices. Dies naming the mount that fails. */
void mounts_open(struct plan plan);
/* Places mounts, links and devices below the directory root. */
void mounts_place(struct plan plan, int root);

#endif
