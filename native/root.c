#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int root_open(int root, const char *path, int flags)
{
	while (*path == '/')
		path++;
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	for (int tries = 0; tries < 64; tries++) {
		int fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN) /* EAGAIN: something was renamed meanwhile */
			return fd;
	}
	return -1;
}

/* Replaces the first `length` bytes of path (a symbolic link in `directory`) by where it points. */
static int follow(char *path, size_t start, size_t length, int directory, const char *name)
{
	char target[PATH_MAX], joined[PATH_MAX];
	ssize_t size = readlinkat(directory, name, target, sizeof target - 1);
	if (size < 0)
		return -1;
	target[size] = '\0';
	int keep = target[0] == '/' ? 0 : (int)start;
	int written = snprintf(joined, sizeof joined, "%.*s/%s/%s", keep, path, target, path + start + length);
	if (written >= (int)sizeof joined) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, joined, (size_t)written + 1);
	return 0;
}

int root_make(int root, const char *wanted, enum kind kind)
{
	char path[PATH_MAX];
	if (strlen(wanted) >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(path, wanted);
	for (int links = 0; links < 40;) {
		int fd = root_open(root, path, O_PATH);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		/* Walk down to the first component that is missing, make it, and look again. */
		size_t at = 0;
		int directory = root_open(root, "/", O_PATH | O_DIRECTORY);
		for (;;) {
			at += strspn(path + at, "/");
			size_t length = strcspn(path + at, "/");
			if (directory < 0 || !length)
				break;
			char prefix[PATH_MAX], name[NAME_MAX + 1];
			if (length > NAME_MAX) {
				close(directory);
				errno = ENAMETOOLONG;
				return -1;
			}
			memcpy(prefix, path, at + length);
			prefix[at + length] = '\0';
			memcpy(name, path + at, length);
			name[length] = '\0';
			bool last = path[at + length + strspn(path + at + length, "/")] == '\0';
			int next = root_open(root, prefix, O_PATH);
			if (next < 0 && errno == ENOENT) {
				struct stat info;
				int made;
				if (!fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) && S_ISLNK(info.st_mode)) {
					links++;
					made = follow(path, at, length, directory, name);
					close(directory);
					directory = -1;
					if (made)
						return -1;
					break;
				}
				if (last && kind == KIND_FILE) {
					made = openat(directory, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
					if (made >= 0)
						close(made);
				} else {
					made = mkdirat(directory, name, 0755);
				}
				if (made < 0 && errno != EEXIST) {
					int number = errno;
					close(directory);
					errno = number;
					return -1;
				}
				next = root_open(root, prefix, O_PATH);
			}
			close(directory);
			directory = next;
			at += length;
		}
		if (directory >= 0)
			close(directory);
		links++; /* something else changes the tree under us: no endless loop */
	}
	errno = ELOOP;
	return -1;
}

int root_parent(int root, const char *path, const char **name)
{
	static char parent[PATH_MAX];
	if (strlen(path) >= sizeof parent) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(parent, path);
	char *slash = strrchr(parent, '/');
	*name = path + (slash ? slash - parent + 1 : 0);
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, "..")) {
		errno = EINVAL;
		return -1;
	}
	if (slash)
		*slash = '\0';
	return root_make(root, slash ? parent : "/", KIND_DIRECTORY);
}

int link_at(const char *target, int directory, const char *name)
{
	return (int)syscall(SYS_symlinkat, target, directory, name);
}

enum kind root_kind(int fd)
{
	struct stat info;
	return !fstat(fd, &info) && S_ISDIR(info.st_mode) ? KIND_DIRECTORY : KIND_FILE;
}

bool on_filesystem(int fd, long magic)
{
	struct statfs info;
	return !fstatfs(fd, &info) && info.f_type == magic;
}
