#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "copy.h"
#include "filesystem.h"
#include "report.h"
#include "root.h"
#include "userns.h"

/* Trees opened by mounts_open, by the order of the records that they belong to. */
static int *trees;
static size_t tree_count, tree_at;

static void keep_tree(int fd)
{
	trees = realloc(trees, (tree_count + 1) * sizeof *trees);
	if (!trees)
		die("out of memory");
	trees[tree_count++] = fd;
}

static int take_tree(void)
{
	if (tree_at >= tree_count)
		die("plan: more mounts than opened sources");
	return trees[tree_at++];
}

static void set_attributes(int fd, struct plan mount, const char *dest)
{
	struct mount_attr once = {
		.attr_set = plan_unsigned(mount, "set", 0),
		.attr_clr = plan_unsigned(mount, "clear", 0),
	};
	struct mount_attr all = {
		.attr_set = plan_unsigned(mount, "recset", 0),
		.attr_clr = plan_unsigned(mount, "recclear", 0),
	};
	if ((once.attr_set || once.attr_clr) && mount_setattr(fd, "", AT_EMPTY_PATH, &once, sizeof once))
		die_errno("set options of mount %s", dest);
	if ((all.attr_set || all.attr_clr) && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof all))
		die_errno("set recursive options of mount %s", dest);
}

static void set_idmap(int fd, struct plan mount, const char *dest)
{
	if (!plan_get(mount, "idmap-uid"))
		return;
	int userns = userns_make(mount, "idmap-uid", "idmap-gid");
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	int recursive = plan_get(mount, "idmap-recursive") ? AT_RECURSIVE : 0;
	if (mount_setattr(fd, "", (unsigned int)(AT_EMPTY_PATH | recursive), &attributes, sizeof attributes))
		die_errno("map the ids of mount %s", dest);
	close(userns);
}

static int bind_open(struct plan mount, const char *dest)
{
	const char *source = plan_get(mount, "source");
	unsigned int recursive = plan_get(mount, "recursive") ? AT_RECURSIVE : 0;
	int fd = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	if (fd < 0)
		die_errno("mount %s on %s: open source", source, dest);
	return fd;
}

/* Propagation of the plan's list on a tree that is still a peer of the host's mount. */
static void bind_prepare(int fd, struct plan mount, const char *dest)
{
	struct record record;
	set_idmap(fd, mount, dest);
	set_attributes(fd, mount, dest);
	for (struct plan rest = mount; plan_find(&rest, "propagation", &record);) {
		uint64_t type = strtoull(record.value, NULL, 0);
		/* One that is unbindable could not be placed; mounts_propagate makes it so. */
		if (type & MS_UNBINDABLE)
			type ^= MS_UNBINDABLE | MS_PRIVATE;
		struct mount_attr attributes = { .propagation = type & ~(uint64_t)MS_REC };
		unsigned int recursive = type & MS_REC ? AT_RECURSIVE : 0;
		if (mount_setattr(fd, "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes))
			die_errno("set propagation of mount %s", dest);
	}
}

void mounts_open(struct plan plan)
{
	struct record record;
	for (struct plan rest = plan; plan_next(&rest, &record);) {
		struct plan item = plan_nested(record);
		if (!strcmp(record.key, "bind")) {
			const char *dest = plan_get(item, "dest");
			int fd = bind_open(item, dest);
			bind_prepare(fd, item, dest);
			keep_tree(fd);
		} else if (!strcmp(record.key, "device") && plan_get(item, "host")) {
			int fd = open_tree(AT_FDCWD, plan_get(item, "host"), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
			if (fd < 0)
				die_errno("bind device %s", plan_get(item, "host"));
			keep_tree(fd);
		}
	}
}

/* Files of procfs that may be covered by a bind: what lxcfs and its like provide. */
static const char *const proc_files[] = { "cpuinfo",	 "diskstats",	"meminfo",	   "stat",
					  "swaps",	 "uptime",	"loadavg",	   "slabinfo",
					  "pressure",	 "pressure/io", "pressure/cpu",	   "pressure/memory",
					  "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled" };

/*
 * A mount over a part of procfs could feed the runtime and others false data: refused, as runc does. Known by what it
 * is, not by its name: a link of the image may give any part any name.
 */
static void refuse_over_proc(int root, int target, const char *dest)
{
	struct stat info, allowed;
	if (!on_filesystem(target, PROC_SUPER_MAGIC) || fstat(target, &info) || info.st_ino == 1)
		return;
	for (size_t i = 0; i < sizeof proc_files / sizeof *proc_files; i++) {
		char path[64];
		snprintf(path, sizeof path, "proc/%s", proc_files[i]);
		int fd = root_open(root, path, O_PATH);
		bool same = fd >= 0 && !fstat(fd, &allowed) && allowed.st_dev == info.st_dev && allowed.st_ino == info.st_ino;
		if (fd >= 0)
			close(fd);
		if (same)
			return;
	}
	die("mount on %s: it is inside proc, which must not be covered", dest);
}

/* Who rules where proc and sys go could show another one later than it has been protected. */
static void refuse_over_link(int root, const char *dest)
{
	const char *name;
	struct stat info;
	int parent = root_parent(root, dest, &name);
	if (parent < 0)
		die_errno("mount on %s: make mount point", dest);
	if (!fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) && !S_ISDIR(info.st_mode))
		die("mount on %s: it must be an ordinary directory", dest);
	close(parent);
}

static int target_open(int root, const char *dest, enum kind kind)
{
	int target = root_make(root, dest, kind);
	if (target < 0)
		die_errno("mount on %s: make mount point", dest);
	return target;
}

/*
 * A mount's place in mountinfo follows its age, and a source opened on the host is older than all that the container
 * mounts: a copy made once it is in the container's namespace takes its turn. What cannot be copied stays.
 */
static void renew(int tree, int target, const char *dest)
{
	int copy = open_tree(tree, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (copy < 0)
		return;
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", tree);
	if (!umount2(path, MNT_DETACH) && mount_move(copy, target))
		die_errno("mount on %s in its turn", dest);
	close(copy);
}

static void place_tree(int tree, struct plan mount, int root, bool early)
{
	const char *dest = plan_get(mount, "dest");
	int target = target_open(root, dest, root_kind(tree));
	refuse_over_proc(root, target, dest);
	if (mount_move(tree, target))
		die_errno("mount %s on %s", plan_get(mount, "source"), dest);
	/* Where there are many of them, in user namespaces, the order is not worth its time. */
	if (early && plan_get(mount, "propagation"))
		renew(tree, target, dest);
	close(target);
	close(tree);
}

static void place_filesystem(struct plan mount, int root)
{
	const char *dest = plan_get(mount, "dest"), *type = plan_get(mount, "type");
	bool is_proc = !strcmp(type, "proc");
	if (is_proc || !strcmp(type, "sysfs"))
		refuse_over_link(root, dest);
	int target = target_open(root, dest, KIND_DIRECTORY);
	if (!is_proc)
		refuse_over_proc(root, target, dest);
	int fd = filesystem_mount(type, plan_get(mount, "source"), plan_unsigned(mount, "set", 0), plan_get(mount, "data"),
				  dest);
	struct plan recursive = mount;
	struct record record;
	if (plan_find(&recursive, "recset", &record) || plan_find(&recursive, "recclear", &record))
		set_attributes(fd, mount, dest);
	bool copy_up = plan_get(mount, "copy-up") != NULL;
	if (copy_up) {
		int from = root_open(root, dest, O_RDONLY | O_DIRECTORY);
		if (from < 0 || copy_tree(from, fd))
			die_errno("mount %s on %s: copy up", type, dest);
		close(from);
	}
	set_idmap(fd, mount, dest);
	if (mount_move(fd, target))
		die_errno("mount %s on %s", type, dest);
	close(fd);
	close(target);
}

static void place_remount(struct plan mount, int root)
{
	const char *dest = plan_get(mount, "dest");
	int target = root_open(root, dest, O_PATH);
	if (target < 0)
		die_errno("remount %s", dest);
	set_attributes(target, mount, dest);
	close(target);
}

static void place_link(struct plan link, int root)
{
	const char *name, *dest = plan_get(link, "dest");
	int parent = root_parent(root, dest, &name);
	if (parent < 0)
		die_errno("make link %s", dest);
	if (link_at(plan_get(link, "target"), parent, name) && errno != EEXIST)
		die_errno("make link %s", dest);
	close(parent);
}

static void place_device(struct plan device, int root)
{
	const char *name, *dest = plan_get(device, "dest");
	mode_t mode = (mode_t)plan_unsigned(device, "mode", 0);
	if (plan_get(device, "host")) {
		place_tree(take_tree(), device, root, true);
		return;
	}
	int parent = root_parent(root, dest, &name);
	if (parent < 0)
		die_errno("make device %s", dest);
	dev_t number = makedev((unsigned int)plan_unsigned(device, "major", 0),
			       (unsigned int)plan_unsigned(device, "minor", 0));
	struct stat info;
	if (mknodat(parent, name, mode, number)) {
		if (errno != EEXIST)
			die_errno("make device %s", dest);
		if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW))
			die_errno("make device %s", dest);
		if ((info.st_mode & S_IFMT) != (mode & S_IFMT) || (!S_ISFIFO(mode) && info.st_rdev != number))
			die("make device %s: something else has this name in the image", dest);
	}
	/* The umask took bits off, and the device may have been there: both calls name the node, never a link. */
	int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (fd < 0 || chmod(path, mode & 07777) ||
	    fchownat(fd, "", (uid_t)plan_unsigned(device, "uid", 0), (gid_t)plan_unsigned(device, "gid", 0), AT_EMPTY_PATH))
		die_errno("set owner and mode of device %s", dest);
	close(fd);
	close(parent);
}

void mounts_place(struct plan plan, int root)
{
	struct record record;
	for (struct plan rest = plan; plan_next(&rest, &record);) {
		struct plan item = plan_nested(record);
		if (!strcmp(record.key, "bind")) {
			place_tree(take_tree(), item, root, true);
		} else if (!strcmp(record.key, "late-bind")) {
			int fd = bind_open(item, plan_get(item, "dest"));
			bind_prepare(fd, item, plan_get(item, "dest"));
			place_tree(fd, item, root, false);
		} else if (!strcmp(record.key, "filesystem")) {
			place_filesystem(item, root);
		} else if (!strcmp(record.key, "remount")) {
			place_remount(item, root);
		} else if (!strcmp(record.key, "link")) {
			place_link(item, root);
		} else if (!strcmp(record.key, "device")) {
			place_device(item, root);
		}
	}
}
