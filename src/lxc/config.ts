/** The configuration text that LXC gets: namespaces, ids, cgroups, label, root; nothing else is left to it. Pure. */
import { LxcriError } from "../host/errors.ts";
import type { Config, Namespace, NamespaceType } from "../spec/config.ts";

/** What the text needs beside the config. */
export interface LxcConfigInput {
  readonly config: Config;
  /** Where LXC finds the root file system. */
  readonly rootfs: string;
  /** `lxc.cgroup.dir.container` and `.monitor`. */
  readonly groups: { readonly path: string; readonly monitor: string };
  readonly logFile: string;
  readonly noNewKeyring: boolean;
}

/** What native/lxc.c takes for its own in place of a shell. */
const MOUNT_HOOK = "proxmox-lxcri-mount-hook";

const LXC_NAMES: Readonly<Record<NamespaceType, string>> = {
  mount: "mnt",
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  network: "net",
  cgroup: "cgroup",
  user: "user",
  time: "time",
};

const isNew = (namespace: Namespace): boolean => namespace.path === undefined || namespace.path === "";

/** Whether the container gets a namespace of this type of its own or joins one. */
export const namespaceOf = (config: Config, type: NamespaceType): Namespace | undefined =>
  config.linux?.namespaces?.find((namespace) => namespace.type === type);

/** Whether a namespace of this type is made for the container. */
export const makesNamespace = (config: Config, type: NamespaceType): boolean => {
  const namespace = namespaceOf(config, type);
  return namespace !== undefined && isNew(namespace);
};

/**
 * The text for `lxc_container::load_config`.
 * @throws LxcriError `lxc-config-value` for a value that LXC's line format cannot hold
 */
export function lxcConfig(input: LxcConfigInput): string {
  const { config, groups } = input;
  const lines: string[] = [];
  const set = (key: string, value: string): void => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    if (/[\x00-\x1f\x7f]/.test(value)) {
      throw new LxcriError(
        "lxc-config-value",
        `${key}: ${JSON.stringify(value)} contains a control character`,
      );
    }
    lines.push(`${key} = ${value}`);
  };
  // LXC cannot do without a mount namespace, nor join one; the C program leaves it again where the config wants.
  const namespaces = (config.linux?.namespaces ?? []).filter(
    ({ type, path }) => type !== "time" && type !== "mount" && !(type === "cgroup" && path),
  );
  set("lxc.rootfs.path", `dir:${input.rootfs}`);
  set("lxc.rootfs.managed", "0");
  set(
    "lxc.namespace.clone",
    ["mnt", ...namespaces.filter(isNew).map(({ type }) => LXC_NAMES[type])].join(" "),
  );
  for (const { type, path } of namespaces) if (path) set(`lxc.namespace.share.${LXC_NAMES[type]}`, path);
  for (const [letter, mappings] of [
    ["u", config.linux?.uidMappings],
    ["g", config.linux?.gidMappings],
  ] as const) {
    for (const { containerID, hostID, size } of mappings ?? []) {
      set("lxc.idmap", `${letter} ${containerID} ${hostID} ${size}`);
    }
  }
  set("lxc.autodev", "0");
  set("lxc.tty.max", "0");
  set("lxc.pty.max", "0");
  set("lxc.console.path", "none");
  set("lxc.monitor.signal.pdeath", "0");
  set("lxc.keyring.session", input.noNewKeyring ? "0" : "1");
  // Without the key LXC takes a profile of its own. The program's is set by our stage, which it would confine too.
  set("lxc.apparmor.profile", "unconfined");
  set("lxc.cgroup.dir.container", groups.path);
  set("lxc.cgroup.dir.monitor", groups.monitor);
  set("lxc.hook.mount", MOUNT_HOOK);
  set("lxc.log.level", "ERROR");
  set("lxc.log.file", input.logFile);
  return `${lines.join("\n")}\n`;
}
