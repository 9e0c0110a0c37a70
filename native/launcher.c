/*
 * The program that users start: it drops what could make the engine beside it run foreign code, and becomes it.
 * A compiled Bun executable obeys BUN_OPTIONS, BUN_BE_BUN, BUN_INSPECT and more from its environment.
 *
 * build: -static -Os
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const foreign[] = { "BUN_", "NODE_", "JSC_", "BUN=", "UV_", "MIMALLOC_" };

int main(int argc, char **argv, char **environment)
{
	(void)argc;
	char path[PATH_MAX + 16];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	if (length < 0) {
		dprintf(STDERR_FILENO, "proxmox-lxcri: cannot find myself: /proc/self/exe: %s\n", strerror(errno));
		return 1;
	}
	memcpy(path + length, "-engine", sizeof "-engine");

	char **kept = environment;
	for (char **entry = environment; *entry; entry++) {
		int drop = 0;
		for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
			drop |= !strncmp(*entry, foreign[i], strlen(foreign[i]));
		if (!drop)
			*kept++ = *entry;
	}
	*kept = NULL;
	execve(path, argv, environment);
	dprintf(STDERR_FILENO, "proxmox-lxcri: cannot start %s: %s\n", path, strerror(errno));
	return 1;
}
