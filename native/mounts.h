/*
 * The container's mounts. Bind sources are opened on the host (mounts_open) as detached trees with their
 * attributes set; the mount hook, in the container's namespaces and before pivot_root, walks the list in order
 * and places them (mounts_place). Neither can be led out of the root by what the image holds.
 */
#ifndef LXCRI_MOUNTS_H
#define LXCRI_MOUNTS_H

#include <stdint.h>

#include "plan.h"

/* Opens the sources of the plan's binds, its bound devices and its masks. Dies naming the mount that fails. */
void mounts_open(struct plan plan);
/* Places mounts, links and devices below the directory root. */
void mounts_place(struct plan plan, int root);
/* Makes a mount of a file-system type and returns it detached; flags are MOUNT_ATTR_*. Dies naming `where`. */
int filesystem_mount(const char *type, const char *source, uint64_t attributes, const char *data, const char *where);
/* Moves a detached mount onto the place that `target` is; -1 and errno when it fails. */
int mount_move(int tree, int target);
/* In the container's own tree, after pivot_root: gives each mount the propagation that the plan asks for. */
void mounts_propagate(struct plan plan, int host_proc);
/* Hides the plan's masked paths and makes its readonly paths read-only, in the tree whose top is root. */
void mounts_protect(struct plan plan, int root);

#endif
