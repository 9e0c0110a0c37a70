/** config.json `mounts` as the C program's records, in order. Pure. */
import { isAbsolute, join, normalize, resolve } from "node:path";
import type { IdMapping, Mount } from "../spec/config.ts";
import { MOUNT_ATTR, type MountOptions, MS, parseMountOptions } from "../spec/mount-options.ts";
import { Plan } from "./plan.ts";

/** One cgroup hierarchy that a container may see. */
export interface VisibleHierarchy {
  readonly version: 1 | 2;
  /** Name of the hierarchy's folder, e.g. `cpu,cpuacct`. */
  readonly name: string;
  /** v1: controllers, or one `name=…`. */
  readonly controllers: readonly string[];
  /** The container's own group on the host. */
  readonly leaf: string;
}

/** What mounts depend on beside the config. */
export interface MountContext {
  /** Relative bind sources count from here. */
  readonly bundle: string;
  readonly hierarchies: readonly VisibleHierarchy[];
  /** The container's root is not the host's, and may not reach what it may bind. */
  readonly userNamespace: boolean;
  /** The container has a cgroup namespace of its own: a mount shows its group as the root. */
  readonly cgroupNamespace: boolean;
  /** SELinux label of mounts, where one is set. */
  readonly mountLabel?: string | undefined;
  /** The container's user namespace's mapping, for `idmap` mounts that name none. */
  readonly uidMappings?: readonly IdMapping[] | undefined;
  readonly gidMappings?: readonly IdMapping[] | undefined;
}

/** A record of the plan with its key. */
export interface MountRecord {
  readonly key: "bind" | "late-bind" | "filesystem" | "remount" | "link";
  readonly plan: Plan;
}

const ATTRIBUTES: readonly (readonly [number, number])[] = [
  [MS.RDONLY, MOUNT_ATTR.RDONLY],
  [MS.NOSUID, MOUNT_ATTR.NOSUID],
  [MS.NODEV, MOUNT_ATTR.NODEV],
  [MS.NOEXEC, MOUNT_ATTR.NOEXEC],
  [MS.NODIRATIME, MOUNT_ATTR.NODIRATIME],
  [MS.NOSYMFOLLOW, MOUNT_ATTR.NOSYMFOLLOW],
];

/** mount(2) flags that belong to the file system rather than the mount, by their option name. */
const FILESYSTEM_FLAGS: readonly (readonly [number, string])[] = [
  [MS.SYNCHRONOUS, "sync"],
  [MS.DIRSYNC, "dirsync"],
  [MS.MANDLOCK, "mand"],
  [MS.LAZYTIME, "lazytime"],
];

/** mount(2) flags as `MOUNT_ATTR_*` to set and to clear. */
function attributesOf(flags: MountOptions["flags"]): { set: number; clear: number } {
  let set = 0;
  let clear = 0;
  for (const [flag, attribute] of ATTRIBUTES) {
    if (flags.set & flag) set |= attribute;
    if (flags.clear & flag) clear |= attribute;
  }
  if ((flags.set | flags.clear) & (MS.NOATIME | MS.RELATIME | MS.STRICTATIME)) {
    clear |= MOUNT_ATTR.ATIME;
    if (flags.set & MS.NOATIME) set |= MOUNT_ATTR.NOATIME;
    else if (flags.set & MS.STRICTATIME) set |= MOUNT_ATTR.STRICTATIME;
  }
  return { set, clear };
}

/** Where a mount goes: absolute, without `..` or a slash at its end; a relative destination counts from `/`. */
export const destinationOf = (mount: Mount): string =>
  normalize(join("/", mount.destination)).replace(/(?<=.)\/$/, "");

const mappingLines = (mappings: readonly IdMapping[]): string[] =>
  mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`);

function addIdmap(plan: Plan, mount: Mount, options: MountOptions, context: MountContext): void {
  if (options.idmap === undefined && mount.uidMappings === undefined) return;
  plan
    .addAll("idmap-uid", mappingLines(mount.uidMappings ?? context.uidMappings ?? []))
    .addAll("idmap-gid", mappingLines(mount.gidMappings ?? context.gidMappings ?? []))
    .add("idmap-recursive", options.idmap === "ridmap");
}

function addOptions(plan: Plan, options: MountOptions, except = 0): Plan {
  const { set, clear } = attributesOf(options.flags);
  return plan
    .add("set", set & ~except)
    .add("clear", clear)
    .add("recset", options.recursive?.set)
    .add("recclear", options.recursive?.clear)
    .addAll("propagation", options.propagation);
}

function planBind(mount: Mount, options: MountOptions, context: MountContext): MountRecord[] {
  const source = mount.source ?? "";
  const plan = new Plan()
    .add("dest", destinationOf(mount))
    .add("source", isAbsolute(source) ? source : resolve(context.bundle, source))
    .add("recursive", options.bind === "rbind");
  addOptions(plan, options);
  addIdmap(plan, mount, options, context);
  // Opened on the host where it must be: to stay a peer of the host's mount, to map ids, or as the host's root.
  const shared = options.propagation.some((type) => type & MS.SHARED);
  const mapped = options.idmap !== undefined || mount.uidMappings !== undefined;
  const early = shared || mapped || context.userNamespace;
  return [{ key: early ? "bind" : "late-bind", plan }];
}

/** A label that holds commas (categories do) is quoted, as mount(8) does. */
const labelOption = (label: string): string => `context="${label}"`;

const TAKES_NO_LABEL = new Set(["proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"]);

function filesystemData(
  type: string,
  source: string,
  options: MountOptions,
  label: string | undefined,
): string {
  const data = options.data.filter((option) => !option.startsWith("x-"));
  for (const [flag, name] of FILESYSTEM_FLAGS) if (options.flags.set & flag) data.push(name);
  // A block device must not be written to at all, not even its journal.
  if (options.flags.set & MS.RDONLY && source.startsWith("/dev/")) data.push("ro");
  if (label && !TAKES_NO_LABEL.has(type)) data.push(labelOption(label));
  return data.join();
}

function planFilesystem(mount: Mount, options: MountOptions, context: MountContext): MountRecord[] {
  const type = mount.type ?? "";
  const source = mount.source ?? type;
  const dest = destinationOf(mount);
  // A tmpfs has still to be filled and mounted into; it becomes read-only when all mounts are placed.
  const later = type === "tmpfs" ? MOUNT_ATTR.RDONLY : 0;
  const plan = new Plan()
    .add("dest", dest)
    .add("type", type)
    .add("source", source)
    .add("data", filesystemData(type, source, options, context.mountLabel))
    .add("copy-up", type === "tmpfs" && options.tmpcopyup);
  addOptions(plan, options, later);
  addIdmap(plan, mount, options, context);
  return [{ key: "filesystem", plan }];
}

const readOnlyLater = (dest: string): MountRecord => ({
  key: "remount",
  plan: new Plan().add("dest", dest).add("set", MOUNT_ATTR.RDONLY),
});

/** v1: a tmpfs with one folder a hierarchy, and links for controllers that share one. */
function planLegacyCgroups(mount: Mount, options: MountOptions, context: MountContext): MountRecord[] {
  const dest = destinationOf(mount);
  const { set } = attributesOf(options.flags);
  const records: MountRecord[] = [
    {
      key: "filesystem",
      plan: new Plan()
        .add("dest", dest)
        .add("type", "tmpfs")
        .add("source", "tmpfs")
        .add("set", MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC)
        .add("data", ["mode=755", ...(context.mountLabel ? [labelOption(context.mountLabel)] : [])].join()),
    },
  ];
  for (const { version, name, controllers, leaf } of context.hierarchies) {
    const plan = new Plan().add("dest", `${dest}/${name}`).add("set", set);
    if (context.cgroupNamespace) {
      plan.add("type", version === 2 ? "cgroup2" : "cgroup").add("source", "cgroup");
      plan.add("data", version === 2 ? "" : controllers.join());
      records.push({ key: "filesystem", plan });
    } else {
      records.push({ key: "late-bind", plan: plan.add("source", leaf).add("recursive", true) });
    }
    if (version === 1 && controllers.length > 1) {
      for (const controller of controllers) {
        records.push({
          key: "link",
          plan: new Plan().add("dest", `${dest}/${controller}`).add("target", name),
        });
      }
    }
  }
  return records;
}

function planCgroup(mount: Mount, options: MountOptions, context: MountContext): MountRecord[] {
  const unified = context.hierarchies.length === 1 ? context.hierarchies[0] : undefined;
  if (unified?.version !== 2) return planLegacyCgroups(mount, options, context);
  const plan = addOptions(new Plan().add("dest", destinationOf(mount)), options);
  if (context.cgroupNamespace) {
    return [{ key: "filesystem", plan: plan.add("type", "cgroup2").add("source", "cgroup") }];
  }
  return [{ key: "late-bind", plan: plan.add("source", unified.leaf).add("recursive", true) }];
}

function planRemount(mount: Mount, options: MountOptions): MountRecord[] {
  return [{ key: "remount", plan: addOptions(new Plan().add("dest", destinationOf(mount)), options) }];
}

/** All records of `mounts`, read-only ones of writable kinds last. */
export function planMounts(mounts: readonly Mount[], context: MountContext): MountRecord[] {
  const records: MountRecord[] = [];
  const later: MountRecord[] = [];
  for (const mount of mounts) {
    const options = parseMountOptions(mount.options ?? []);
    if (options.flags.remount) records.push(...planRemount(mount, options));
    else if (options.bind !== undefined || mount.type === "bind") {
      records.push(...planBind(mount, options.bind ? options : { ...options, bind: "bind" }, context));
    } else if (mount.type === "cgroup") {
      records.push(...planCgroup(mount, options, context));
      const unified = context.hierarchies.length === 1 && context.hierarchies[0]?.version === 2;
      if (!unified && options.flags.set & MS.RDONLY) later.unshift(readOnlyLater(destinationOf(mount)));
    } else {
      records.push(...planFilesystem(mount, options, context));
      if (mount.type === "tmpfs" && options.flags.set & MS.RDONLY) {
        later.unshift(readOnlyLater(destinationOf(mount)));
      }
    }
  }
  return [...records, ...later];
}
