/* Mounts by the kernel's file-descriptor calls: no path is walked a second time. */
#ifndef LXCRI_FILESYSTEM_H
#define LXCRI_FILESYSTEM_H

#include <stdint.h>

/* Makes a mount of a file-system type and returns it detached; flags are MOUNT_ATTR_*. Dies naming `where`. */
int filesystem_mount(const char *type, const char *source, uint64_t attributes, const char *data, const char *where);
/* Moves a detached mount onto the place that `target` is; -1 and errno when it fails. */
int mount_move(int tree, int target);

#endif
