#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "root.h"

static int copy_owner(int fd, const struct stat *info)
{
	const struct timespec times[2] = { info->st_atim, info->st_mtim };
	if (fchown(fd, info->st_uid, info->st_gid) || fchmod(fd, info->st_mode & 07777))
		return -1;
	return futimens(fd, times);
}

static int copy_file(int from, int to, const char *name, const struct stat *info)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int result = in < 0 || out < 0 ? -1 : 0;
	for (off_t left = info->st_size; !result && left > 0;) {
		ssize_t moved = sendfile(out, in, NULL, (size_t)left);
		if (moved < 0)
			result = -1;
		else if (!moved)
			break;
		left -= moved;
	}
	if (!result)
		result = copy_owner(out, info);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return result;
}

static int copy_link(int from, int to, const char *name, const struct stat *info)
{
	char target[PATH_MAX];
	ssize_t size = readlinkat(from, name, target, sizeof target - 1);
	if (size < 0)
		return -1;
	target[size] = '\0';
	if (link_at(target, to, name))
		return -1;
	return fchownat(to, name, info->st_uid, info->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_directory(int from, int to, const char *name, const struct stat *info)
{
	int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return -1;
	int out = mkdirat(to, name, 0700) ? -1 : openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result = out < 0 ? -1 : copy_tree(in, out);
	if (!result)
		result = copy_owner(out, info);
	close(in);
	if (out >= 0)
		close(out);
	return result;
}

static int copy_node(int to, const char *name, const struct stat *info)
{
	if (mknodat(to, name, info->st_mode, info->st_rdev))
		return -1;
	return fchownat(to, name, info->st_uid, info->st_gid, AT_SYMLINK_NOFOLLOW);
}

int copy_tree(int from, int to)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory)
		return -1;
	int result = 0;
	struct dirent *entry;
	while (!result && (errno = 0, entry = readdir(directory))) {
		const char *name = entry->d_name;
		struct stat info;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW))
			result = -1;
		else if (S_ISDIR(info.st_mode))
			result = copy_directory(from, to, name, &info);
		else if (S_ISREG(info.st_mode))
			result = copy_file(from, to, name, &info);
		else if (S_ISLNK(info.st_mode))
			result = copy_link(from, to, name, &info);
		else
			result = copy_node(to, name, &info);
	}
	closedir(directory);
	return result;
}
