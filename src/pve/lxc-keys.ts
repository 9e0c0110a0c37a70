/** Which raw `lxc.*` lines a Proxmox container configuration may hold. */

const VALID = new Set(
  (
    "apparmor.allow_incomplete apparmor.allow_nesting apparmor.profile apparmor.raw arch autodev cap.drop " +
    "cap.keep console.logfile console.path devtty.dir environment environment.hooks environment.runtime " +
    "group hook.autodev hook.clone hook.destroy hook.mount hook.post-stop hook.pre-mount hook.pre-start " +
    "hook.start hook.stop hook.version idmap include init.cmd init.cwd init.gid init.groups init.uid kmsg " +
    "log.file log.level mount.auto mount.entry mount.fstab pty.max rootfs.mount seccomp.notify.cookie " +
    "seccomp.notify.proxy seccomp.profile selinux.context signal.halt signal.reboot signal.stop start.auto " +
    "start.delay start.order sysctl.fs.mqueue sysctl.kernel.msgmax sysctl.kernel.msgmnb " +
    "sysctl.kernel.msgmni sysctl.kernel.sem sysctl.kernel.shmall sysctl.kernel.shmmax " +
    "sysctl.kernel.shmmni sysctl.kernel.shm_rmid_forced tty.max uts.name"
  ).split(" "),
);

/** Keys of LXC before 3.0: still taken, with a warning. */
const RENAMED = new Set(
  (
    "aa_allow_incomplete aa_profile console devttydir haltsignal id_map init_cmd logfile loglevel mount " +
    "network.flags network.hwaddr network.ipv4 network.ipv4.gateway network.ipv6 network.ipv6.gateway " +
    "network.link network.mtu network.name network.script.down network.script.up network.type pts " +
    "rebootsignal se_context seccomp stopsignal tty utsname"
  ).split(" "),
);

/** Taken; taken with a warning; or refused, with the reason. */
export type LxcKeyVerdict = { readonly accepted: boolean; readonly warning?: string };

const ACCEPTED: LxcKeyVerdict = { accepted: true };

/** Judges the key of a raw line, `lxc.` included. */
export function judgeLxcKey(key: string): LxcKeyVerdict {
  const name = key.slice("lxc.".length);
  if (VALID.has(name)) return ACCEPTED;
  if (name.startsWith("limit.")) return { accepted: true, warning: "was renamed to lxc.prlimit.*" };
  if (name.startsWith("cgroup.")) return { accepted: true, warning: "has no effect on cgroup v2" };
  if (RENAMED.has(name)) return { accepted: true, warning: "was renamed in LXC 3.0" };
  if (name.startsWith("cgroup2.") || name.startsWith("prlimit.") || name.startsWith("net.")) return ACCEPTED;
  if (name === "rootfs.path") return { accepted: false, warning: "is generated from rootfs" };
  if (name === "rootfs.options")
    return { accepted: false, warning: "is not supported; use mountoptions of the rootfs key" };
  return { accepted: false, warning: "is not a known key" };
}
