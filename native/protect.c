#include "protect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "filesystem.h"
#include "report.h"
#include "root.h"

/* A detached mount of the host's /dev/null for each masked path: one can be placed only once. */
static int *covers;

void protect_open(struct plan plan)
{
	struct record record;
	size_t at = 0;
	covers = calloc(plan_count(plan, "masked") + 1, sizeof *covers);
	if (!covers)
		die("out of memory");
	for (struct plan rest = plan; plan_find(&rest, "masked", &record);) {
		struct stat info;
		int fd = open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (fd < 0)
			die_errno("open /dev/null for masked paths");
		if (fstat(fd, &info) || !S_ISCHR(info.st_mode) || info.st_rdev != makedev(1, 3))
			die("/dev/null of the host is not the null device: masked paths would show what it holds");
		covers[at++] = fd;
	}
}

static void mask(int root, const char *path, int null, const char *data)
{
	int target = root_open(root, path, O_PATH);
	if (target < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			die_errno("mask %s", path);
		return;
	}
	int cover = null;
	if (root_kind(target) == KIND_DIRECTORY)
		cover = filesystem_mount("tmpfs", "tmpfs", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, data, path);
	if (mount_move(cover, target))
		die_errno("mask %s", path);
	if (cover != null)
		close(cover);
	close(target);
}

static void make_readonly(int root, const char *path)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
	int target = root_open(root, path, O_PATH);
	if (target < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			die_errno("make %s read-only", path);
		return;
	}
	int tree = open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) ||
	    mount_move(tree, target))
		die_errno("make %s read-only", path);
	close(tree);
	close(target);
}

void protect_apply(struct plan plan, int root)
{
	struct record record;
	const char *label = plan_get(plan, "mask-data");
	for (struct plan rest = plan; plan_find(&rest, "readonly", &record);)
		make_readonly(root, record.value);
	size_t at = 0;
	for (struct plan rest = plan; plan_find(&rest, "masked", &record);) {
		mask(root, record.value, covers[at], label);
		close(covers[at++]);
	}
}
