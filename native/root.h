/* Paths inside a container's root file system, which is hostile: nothing here can leave it. */
#ifndef LXCRI_ROOT_H
#define LXCRI_ROOT_H

#include <stdbool.h>
#include <sys/types.h>

enum kind { KIND_DIRECTORY, KIND_FILE };

/* Opens path inside root as openat2(2) with RESOLVE_IN_ROOT does; -1 and errno when it fails. */
int root_open(int root, const char *path, int flags);
/*
 * Opens path inside root (O_PATH), making what is missing: directories 0755 and, for KIND_FILE, an empty file.
 * Symbolic links are followed inside the root, dangling ones too. -1 and errno when it fails.
 */
int root_make(int root, const char *path, enum kind kind);
/* Opens the directory that holds path (made when missing) and points *name at the last component. */
int root_parent(int root, const char *path, const char **name);
/* symlinkat(2) itself: the name is LXC's in this program (lxc.c). */
int link_at(const char *target, int directory, const char *name);
/* What fd is a mount point for. */
enum kind root_kind(int fd);
/* True where fd lies on a file system of this magic number (statfs(2)). */
bool on_filesystem(int fd, long magic);

#endif
