/*
 * The program that users start: it drops what could make the engine beside it run foreign code, and becomes it.
 * A compiled Bun executable obeys BUN_OPTIONS, BUN_BE_BUN, BUN_INSPECT and more from its environment.
 *
 * It also begins a wait that the command will have to do: moving a process into a cgroup makes the kernel wait for a
 * grace period of all CPUs (6 to 20 ms, measured), unless another move was a moment ago. Begun here, it passes while
 * the engine starts and plans.
 *
 * build: -static -Os
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const foreign[] = { "BUN_", "NODE_", "JSC_", "BUN=", "UV_", "MIMALLOC_" };

/* What an id is made of (spec/container-id.ts). */
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-."

static const char *const movers[] = { "create", "run", "exec", "launch", "restore" };

static int moves(char **argv)
{
	for (char **word = argv + 1; *word && strcmp(*word, "--"); word++)
		for (size_t i = 0; i < sizeof movers / sizeof *movers; i++)
			if (!strcmp(*word, movers[i]))
				return 1;
	return 0;
}

/*
 * Moves this process to where it is already, and again until the command has ended or surely has done its own moves.
 * Which hierarchy it is done in does not matter, nor that it fails.
 */
static void move_nowhere(pid_t command)
{
	char line[PATH_MAX], path[2 * PATH_MAX];
	FILE *groups = fopen("/proc/self/cgroup", "re");
	while (groups && fgets(line, sizeof line, groups)) {
		char *rest = line;
		strsep(&rest, ":");
		char *controllers = strsep(&rest, ":"), *group = strsep(&rest, "\n");
		if (!controllers || !group || strchr(controllers, '='))
			continue;
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s/cgroup.procs", controllers, group);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		for (int i = 0; i < 30 && !kill(command, 0) && write(fd, "0", 1) == 1; i++)
			usleep(1000);
		break;
	}
	_exit(0);
}

/* In a process of nobody's: the engine must not find a child that it did not start. */
static void begin_grace_period(void)
{
	pid_t command = getpid(), child = fork();
	if (!child) {
		if (!fork())
			move_nowhere(command);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

/* The value of a flag `--name=value` or `--name value`; NULL where *word is not that flag. Moves to its last word. */
static const char *flag_value(char ***word, const char *name)
{
	size_t length = strlen(name);
	if (strncmp(**word, name, length))
		return NULL;
	if ((**word)[length] == '=')
		return **word + length + 1;
	return !(**word)[length] && (*word)[1] ? *++*word : NULL;
}

/*
 * `start ID` and `delete [--force] ID` with global flags in their plain form: the native program does it in less time
 * than the engine needs to begin. Returns where the command line is anything else; native/shortcut.c looks whether
 * the container is a plain case.
 */
static void take_shortcut(char **argv, char **environment, const char *self)
{
	const char *root = "/run/proxmox-lxcri", *log = "", *format = "text", *value;
	char native[2 * PATH_MAX], plan[PATH_MAX], *words[64] = { native, NULL, plan };
	char **word = argv + 1;
	for (; *word && **word == '-'; word++) {
		if ((value = flag_value(&word, "--root")))
			root = value;
		else if ((value = flag_value(&word, "--log")))
			log = value;
		else if ((value = flag_value(&word, "--log-format")))
			format = value;
		else if (strcmp(*word, "--systemd-cgroup") && strcmp(*word, "--debug"))
			return;
	}
	if (!*word || (strcmp(*word, "start") && strcmp(*word, "delete")) || root[0] != '/')
		return;
	const char *command = *word++;
	if (*word && command[0] == 'd' && (!strcmp(*word, "--force") || !strcmp(*word, "-f")))
		word++;
	if (!*word || word[1] || **word == '-' || !strcmp(*word, "..") ||
	    strspn(*word, NAME_CHARACTERS) != strlen(*word))
		return;
	if (snprintf(plan, sizeof plan, "%s/containers/%s/%s.plan", root, *word, command) >= (int)sizeof plan)
		return;
	words[1] = (char *)(command[0] == 'd' ? "delete-now" : "start-now");
	snprintf(native, sizeof native, "%s-native", self);
	words[3] = (char *)log;
	words[4] = (char *)format;
	for (size_t i = 0; argv[i]; i++) {
		if (i + 6 >= sizeof words / sizeof *words)
			return;
		words[5 + i] = argv[i];
	}
	execve(native, words, environment);
}

int main(int argc, char **argv, char **environment)
{
	(void)argc;
	char path[PATH_MAX + 16], here[PATH_MAX];
	/* The engine does not start in a directory that has been removed. */
	if (!getcwd(here, sizeof here) && chdir("/"))
		return 1;
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	if (length < 0) {
		dprintf(STDERR_FILENO, "proxmox-lxcri: cannot find myself: /proc/self/exe: %s\n", strerror(errno));
		return 1;
	}
	path[length] = '\0';
	char **kept = environment;
	for (char **entry = environment; *entry; entry++) {
		int drop = 0;
		for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
			drop |= !strncmp(*entry, foreign[i], strlen(foreign[i]));
		if (!drop)
			*kept++ = *entry;
	}
	*kept = NULL;
	take_shortcut(argv, environment, path);
	if (moves(argv))
		begin_grace_period();
	memcpy(path + length, "-engine", sizeof "-engine");
	execve(path, argv, environment);
	dprintf(STDERR_FILENO, "proxmox-lxcri: cannot start %s: %s\n", path, strerror(errno));
	return 1;
}
