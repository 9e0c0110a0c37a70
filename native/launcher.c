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
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const foreign[] = { "BUN_", "NODE_", "JSC_", "BUN=", "UV_", "MIMALLOC_", "LXCRI_" };

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
	/* Who reads the command's output to its end must not wait for us. */
	syscall(SYS_close_range, 0u, ~0u, 0u);
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

/* What the global flags say, and the word after them. */
struct line {
	const char *root, *log, *format;
	char **command; /* NULL: a flag that the engine has to look at */
};

static struct line read_line(char **argv)
{
	struct line line = { "/run/proxmox-lxcri", "", "text", NULL };
	const char *value;
	char **word = argv + 1;
	for (; *word && **word == '-'; word++) {
		if ((value = flag_value(&word, "--root")))
			line.root = value;
		else if ((value = flag_value(&word, "--log")))
			line.log = value;
		else if ((value = flag_value(&word, "--log-format")))
			line.format = value;
		else if (strcmp(*word, "--systemd-cgroup") && strcmp(*word, "--debug"))
			return line;
	}
	if (*word)
		line.command = word;
	return line;
}

/*
 * `start ID` and `delete [--force] ID` in their plain form: the native program does it in less time than the engine
 * needs to begin. Returns where the command line is anything else; native/shortcut.c looks whether the container is a
 * plain case.
 */
static void take_shortcut(struct line line, char **argv, char **environment, const char *native)
{
	char plan[PATH_MAX], *words[64] = { (char *)native, NULL, plan, (char *)line.log, (char *)line.format };
	char **word = line.command;
	if ((strcmp(*word, "start") && strcmp(*word, "delete")) || line.root[0] != '/' ||
	    (strcmp(line.format, "text") && strcmp(line.format, "json")))
		return;
	const char *command = *word++;
	if (*word && command[0] == 'd' && (!strcmp(*word, "--force") || !strcmp(*word, "-f")))
		word++;
	if (!*word || word[1] || **word == '-' || !strcmp(*word, "..") ||
	    strspn(*word, NAME_CHARACTERS) != strlen(*word))
		return;
	if (snprintf(plan, sizeof plan, "%s/containers/%s/%s.plan", line.root, *word, command) >= (int)sizeof plan)
		return;
	words[1] = (char *)(command[0] == 'd' ? "delete-now" : "start-now");
	for (size_t i = 0; argv[i]; i++) {
		if (i + 6 >= sizeof words / sizeof *words)
			return;
		words[5 + i] = argv[i];
	}
	execve(native, words, environment);
}

/*
 * The native half of `create` and `exec` starts beside the engine (native/ahead.h). This process is it; returns in a
 * child that becomes the engine, or where that way is closed.
 */
static char **start_ahead(const char *command, char **environment, const char *native)
{
	static char variable[64], number[32];
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return environment;
	/* Out of the way of descriptors that the caller passes on. */
	int out = fcntl(ends[1], F_DUPFD, 200), in = fcntl(ends[0], F_DUPFD_CLOEXEC, 200);
	close(ends[0]);
	close(ends[1]);
	pid_t self = getpid(), engine = out < 0 || in < 0 ? -1 : fork();
	/* Killed is the whole command, for who knows only this process. */
	if (!engine && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != self))
		_exit(1);
	if (engine > 0) {
		close(out);
		fcntl(in, F_SETFD, 0);
		snprintf(number, sizeof number, "%d:%d", in, engine);
		char *const words[] = { (char *)"lxcri", (char *)command, number, NULL };
		execve(native, words, environment);
		dprintf(STDERR_FILENO, "proxmox-lxcri: cannot start %s: %s\n", native, strerror(errno));
		_exit(1);
	}
	if (in >= 0)
		close(in);
	if (engine < 0) {
		if (out >= 0)
			close(out);
		return environment;
	}
	size_t count = 0;
	while (environment[count])
		count++;
	char **longer = calloc(count + 2, sizeof *longer);
	if (!longer)
		_exit(1);
	snprintf(variable, sizeof variable, "LXCRI_PLAN_FD=%d", out);
	memcpy(longer, environment, count * sizeof *longer);
	longer[count] = variable;
	return longer;
}

int main(int argc, char **argv, char **environment)
{
	(void)argc;
	char path[PATH_MAX + 16], native[PATH_MAX + 16], here[PATH_MAX];
	/* Else files that are opened would be taken for the standard streams. */
	int null;
	while ((null = open("/dev/null", O_RDWR)) >= 0 && null <= STDERR_FILENO)
		;
	if (null >= 0)
		close(null);
	/* Who ignores its children cannot wait for them; and nobody could end a command that the caller's mask holds. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	/* The engine does not start in a directory that has been removed. */
	if (!getcwd(here, sizeof here) && chdir("/"))
		return 1;
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	if (length < 0) {
		dprintf(STDERR_FILENO, "proxmox-lxcri: cannot find myself: /proc/self/exe: %s\n", strerror(errno));
		return 1;
	}
	memcpy(native, path, (size_t)length);
	memcpy(native + length, "-native", sizeof "-native");
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
	struct line line = read_line(argv);
	if (line.command)
		take_shortcut(line, argv, environment, native);
	if (moves(argv))
		begin_grace_period();
	if (line.command && !strcmp(*line.command, "exec"))
		environment = start_ahead("exec-ahead", environment, native);
	else if (line.command && !strcmp(*line.command, "create"))
		environment = start_ahead("create-ahead", environment, native);
	execve(path, argv, environment);
	dprintf(STDERR_FILENO, "proxmox-lxcri: cannot start %s: %s\n", path, strerror(errno));
	return 1;
}
