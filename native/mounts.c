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
	for (struct plan rest = plan; plan_find(&rest, "masked", &record);) {
		struct stat info;
		int fd = open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (fd < 0)
			die_errno("open /dev/null for masked paths");
		if (fstat(fd, &info) || !S_ISCHR(info.st_mode) || info.st_rdev != makedev(1, 3))
			die("/dev/null of the host is not the null device: masked paths would show what it holds");
		keep_tree(fd);
	}
}

/* Last line that the kernel wrote about a failed fsconfig or fsmount. */
static const char *filesystem_log(int context)
{
	static char text[512];
	text[0] = '\0';
	char line[256];
	ssize_t size;
	while ((size = read(context, line, sizeof line - 1)) > 0) {
		line[size] = '\0';
		snprintf(text, sizeof text, " (%s)", size > 2 && line[1] == ' ' ? line + 2 : line);
	}
	return text;
}

static void filesystem_failed(int context, const char *type, const char *where, const char *step)
{
	int number = errno;
	const char *said = filesystem_log(context);
	errno = number;
	die("mount %s on %s: %s: %s%s", type, where, step, error_text(number), said);
}

/* Passes one option, `key` or `key=value`; quotes around a value (SELinux contexts) are taken off. */
static int filesystem_option(int context, char *option)
{
	char *value = strchr(option, '=');
	if (!value)
		return fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0);
	*value++ = '\0';
	size_t length = strlen(value);
	if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
		value[length - 1] = '\0';
		value++;
	}
	return fsconfig(context, FSCONFIG_SET_STRING, option, value, 0);
}

int filesystem_mount(const char *type, const char *source, uint64_t attributes, const char *data, const char *where)
{
	int context = fsopen(type, FSOPEN_CLOEXEC);
	if (context < 0)
		die_errno("mount %s on %s: file system type", type, where);
	if (source && *source && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0))
		filesystem_failed(context, type, where, source);
	char *options = strdup(data ? data : "");
	if (!options)
		die("out of memory");
	bool quoted = false;
	for (char *at = options, *start = options;; at++) {
		if (*at == '"')
			quoted = !quoted;
		if (*at && (*at != ',' || quoted))
			continue;
		bool last = !*at;
		*at = '\0';
		char shown[256];
		snprintf(shown, sizeof shown, "option %s", start);
		if (*start && filesystem_option(context, start))
			filesystem_failed(context, type, where, shown);
		start = at + 1;
		if (last)
			break;
	}
	free(options);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		filesystem_failed(context, type, where, "create");
	int fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned int)attributes);
	if (fd < 0)
		filesystem_failed(context, type, where, "mount");
	close(context);
	return fd;
}

int mount_move(int tree, int target)
{
	return move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Files of procfs that may be covered by a bind: what lxcfs and its like provide. */
static const char *const proc_files[] = { "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg",
					  "slabinfo", "pressure", "ns_last_pid", "fips_enabled", "io", "cpu",
					  "memory" };

/* A mount over a part of procfs could feed the runtime and others false data: refused, as runc does. */
static void refuse_over_proc(int target, const char *dest, bool is_procfs)
{
	struct stat info;
	if (is_procfs || !on_filesystem(target, PROC_SUPER_MAGIC) || fstat(target, &info) || info.st_ino == 1)
		return;
	const char *name = strrchr(dest, '/');
	name = name ? name + 1 : dest;
	for (size_t i = 0; i < sizeof proc_files / sizeof *proc_files; i++)
		if (!strcmp(name, proc_files[i]))
			return;
	die("mount on %s: it is inside proc, which must not be covered", dest);
}

static int target_open(int root, const char *dest, enum kind kind)
{
	int target = root_make(root, dest, kind);
	if (target < 0)
		die_errno("mount on %s: make mount point", dest);
	return target;
}

static enum kind kind_of(int fd)
{
	struct stat info;
	return !fstat(fd, &info) && S_ISDIR(info.st_mode) ? KIND_DIRECTORY : KIND_FILE;
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
	int target = target_open(root, dest, kind_of(tree));
	refuse_over_proc(target, dest, false);
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
	int target = target_open(root, dest, KIND_DIRECTORY);
	refuse_over_proc(target, dest, !strcmp(type, "proc"));
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

/* True where path is dest or lies below it. */
static bool covers(const char *dest, const char *path, bool below)
{
	size_t length = strlen(dest);
	while (length > 1 && dest[length - 1] == '/')
		length--;
	if (length == 1 && dest[0] == '/')
		return below || !strcmp(path, "/");
	return !strncmp(dest, path, length) && (path[length] == '\0' || (below && path[length] == '/'));
}

/* The propagation that the plan asks for at this mount point, innermost mount last. */
static uint64_t wanted_propagation(struct plan plan, const char *path)
{
	uint64_t wanted = MS_PRIVATE;
	struct record record;
	const char *top = plan_get(plan, "root-propagation");
	if (top && !strcmp(path, "/"))
		wanted = strtoull(top, NULL, 0);
	else if (top && strtoull(top, NULL, 0) & MS_REC)
		wanted = strtoull(top, NULL, 0);
	for (struct plan rest = plan; plan_next(&rest, &record);) {
		if (strcmp(record.key, "bind") && strcmp(record.key, "filesystem") && strcmp(record.key, "late-bind"))
			continue;
		struct plan mount = plan_nested(record);
		const char *dest = plan_get(mount, "dest");
		if (!covers(dest, path, true))
			continue;
		bool given = false;
		struct record one;
		for (struct plan list = mount; plan_find(&list, "propagation", &one);) {
			uint64_t type = strtoull(one.value, NULL, 0);
			if (covers(dest, path, type & MS_REC)) {
				wanted = type;
				given = true;
			}
		}
		if (!given)
			wanted = MS_PRIVATE;
	}
	return wanted & ~(uint64_t)MS_REC;
}

/* Undoes mountinfo's octal escapes in place. */
static void unescape(char *text)
{
	char *to = text;
	for (char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)(((from[1] - '0') << 6) | ((from[2] - '0') << 3) | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

void mounts_propagate(struct plan plan, int host_proc)
{
	struct record record;
	bool simple = !plan_get(plan, "root-propagation");
	for (struct plan rest = plan; simple && plan_next(&rest, &record);)
		if (!strcmp(record.key, "bind") || !strcmp(record.key, "filesystem") || !strcmp(record.key, "late-bind"))
			simple = !plan_get(plan_nested(record), "propagation");
	if (simple) {
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			die_errno("make the container's mounts private");
		return;
	}
	int fd = openat(host_proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
	if (!list)
		die_errno("read the container's mounts");
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, list) > 0) {
		char point[PATH_MAX];
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
			continue;
		unescape(point);
		uint64_t type = wanted_propagation(plan, point);
		if (mount(NULL, point, NULL, (unsigned long)type, NULL) && errno != EINVAL && errno != ENOENT)
			die_errno("set propagation of %s", point);
	}
	free(line);
	fclose(list);
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
	if (kind_of(target) == KIND_DIRECTORY)
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

void mounts_protect(struct plan plan, int root)
{
	struct record record;
	const char *label = plan_get(plan, "mask-data");
	/* The trees of the masks were opened last: binds and devices were taken in the mount hook's process. */
	tree_at = tree_count - plan_count(plan, "masked");
	for (struct plan rest = plan; plan_find(&rest, "readonly", &record);)
		make_readonly(root, record.value);
	for (struct plan rest = plan; plan_find(&rest, "masked", &record);) {
		int null = take_tree();
		mask(root, record.value, null, label);
		close(null);
	}
}
