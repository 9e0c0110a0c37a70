/*
 * The only place that calls liblxc. LXC ends its work by calling execvp for the container's program and execl for
 * its hooks' shell: both names (and symlinkat) are defined here and exported, so that the calls land in this very
 * process image, with all descriptors and privileges; no file of ours is needed in the container.
 */
#include <dlfcn.h>
#include <lxc/lxccontainer.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "create.h"
#include "report.h"
#include "root.h"

/* What stands for the mount hook in the container's LXC configuration; src/lxc/config.ts writes it. */
#define MOUNT_HOOK "proxmox-lxcri-mount-hook"

/* Set while LXC builds a container in this process. */
static struct create *building;

int execvp(const char *file, char *const argv[])
{
	if (building)
		stage_run(building);
	return execvpe(file, argv, environ);
}

int execl(const char *path, const char *arg, ...)
{
	char *args[64] = { (char *)arg };
	va_list rest;
	va_start(rest, arg);
	size_t count = 1;
	while (count < 63 && (args[count] = va_arg(rest, char *)))
		count++;
	args[count] = NULL;
	va_end(rest);
	if (building && count == 3 && strstr(args[2], MOUNT_HOOK))
		_exit(mount_hook_run(building));
	return execv(path, args);
}

/*
 * LXC puts links for descriptors into the /dev that the image has, which is not the one that the container sees and
 * which the mapped root may not write to. The plan's own links are made in the right one.
 */
int symlinkat(const char *target, int directory, const char *name)
{
	return building ? 0 : link_at(target, directory, name);
}

void lxc_build(struct create *create)
{
	const char *id = plan_get(create->plan, "id");
	void *library = dlopen("liblxc.so.1", RTLD_NOW | RTLD_LOCAL);
	struct lxc_container *(*make)(const char *, const char *) = NULL;
	if (library)
		*(void **)&make = dlsym(library, "lxc_container_new");
	if (!make)
		die("load liblxc.so.1: %s", dlerror());
	struct lxc_container *container = make(id, plan_get(create->plan, "lxc-path"));
	if (!container)
		die("LXC refuses the container %s", id);
	container->clear_config(container);
	const char *config = plan_get(create->plan, "lxc-config");
	if (!container->load_config(container, config))
		die("LXC refuses its configuration %s", config);
	container->want_daemonize(container, false);
	container->want_close_all_fds(container, false);
	building = create;
	char *const args[] = { (char *)"stage", NULL };
	container->start(container, 0, args);
	building = NULL;
}
