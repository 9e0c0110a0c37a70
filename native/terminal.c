#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "filesystem.h"
#include "message.h"
#include "root.h"

static int open_master(int root)
{
	struct stat info;
	int fd = root_open(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = root_open(root, "dev/ptmx", O_RDWR | O_NOCTTY);
	if (fd < 0)
		die_errno("open /dev/ptmx (a terminal needs a devpts mount on /dev/pts)");
	/* The image could have put anything there. */
	if (fstat(fd, &info) || !S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2))
		die("/dev/ptmx of the container is not a terminal multiplexer");
	return fd;
}

static void show_on_console(int root, int slave)
{
	int target = root_make(root, "/dev/console", KIND_FILE);
	if (target >= 0 && on_filesystem(target, PROC_SUPER_MAGIC))
		die("put the terminal on /dev/console: it leads into proc");
	int tree = open_tree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (target < 0 || tree < 0 || mount_move(tree, target))
		die_errno("put the terminal on /dev/console");
	close(tree);
	close(target);
}

void terminal_take(struct plan process, int root, int socket, bool on_console)
{
	int locked = 0;
	int master = open_master(root);
	if (ioctl(master, TIOCSPTLCK, &locked))
		die_errno("unlock the terminal");
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		die_errno("open the terminal");
	if (on_console)
		show_on_console(root, slave);
	struct winsize size = {
		.ws_row = (unsigned short)plan_number(process, "rows", 0),
		.ws_col = (unsigned short)plan_number(process, "columns", 0),
	};
	if ((size.ws_row || size.ws_col) && ioctl(slave, TIOCSWINSZ, &size))
		die_errno("set the terminal's size");
	/* An unmapped user cannot own it; it stays root's then, as the image's author asked for. */
	if (fchown(slave, (uid_t)plan_number(process, "uid", 0), (gid_t)-1) && errno != EINVAL && errno != EPERM)
		die_errno("give the terminal to the user");
	if (message_send(socket, 'T', "/dev/ptmx", master))
		die_errno("send the terminal");
	close(master);
	if (ioctl(slave, TIOCSCTTY, 0))
		die_errno("take the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			die_errno("use the terminal");
	close(slave);
}
