/**
 * Room: control groups of a container, on v1, v2 and both at once: where the leaf is, its limits, devices,
 * freezing, killing, statistics. May call host and spec only. LXC makes the leaf; this room does everything else.
 *
 * This file: which hierarchies this machine has mounted, and which group in each LXC takes as its root.
 */
import { readFileSync } from "node:fs";
import { isMissing, LxcriError } from "../host/errors.ts";

/** What control groups answer when a request is impossible or refused. */
export class CgroupError extends LxcriError {}

/** One mounted cgroup hierarchy. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** v1: the co-mounted controllers, or one `name=…`; v2: what the base group's `cgroup.controllers` says. */
  readonly controllers: readonly string[];
  /** Key in a record of leaves: `unified` for v2, the controllers joined by commas for v1. */
  readonly key: string;
  /** Absolute folder of the mount. */
  readonly mountPoint: string;
  /** PID 1's group without `/init.scope`, as in /proc/1/cgroup: LXC makes every group below it. */
  readonly base: string;
  /** Absolute folder of `base`. */
  readonly root: string;
}

/** All hierarchies; `unified` means v2 alone, `hybrid` v1 controllers beside a v2 hierarchy, `legacy` v1 alone. */
export interface CgroupLayout {
  readonly mode: "unified" | "hybrid" | "legacy";
  readonly hierarchies: readonly Hierarchy[];
}

/** The three texts that {@link parseLayout} needs. */
export interface LayoutSource {
  /** /proc/self/mountinfo */
  readonly mountinfo: string;
  /** /proc/1/cgroup */
  readonly pid1: string;
  /** Content of a v2 `cgroup.controllers`, asked for by folder. */
  readonly controllers: (folder: string) => string;
}

/** /proc/<pid>/cgroup as a map from controller (`unified` for v2) to group path. */
export function parseGroups(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split("\n")) {
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (first < 0 || second < 0) continue;
    const names = line.slice(first + 1, second);
    const path = line.slice(second + 1);
    if (names === "") groups.set("unified", path);
    else for (const name of names.split(",")) groups.set(name, path);
  }
  return groups;
}

/** The groups of a process, per controller (`unified` for v2). @throws where the process is gone */
export const groupsOf = (pid: number | "self"): Map<string, string> =>
  parseGroups(readFileSync(`/proc/${pid}/cgroup`, "utf8"));

const V1_FLAGS = new Set([
  "rw",
  "ro",
  "xattr",
  "noprefix",
  "clone_children",
  "none",
  "all",
  "cpuset_v2_mode",
]);

/** Blanks come as `\040`; looked for first, since expressions cost start-up time. */
const unescapeOctal = (text: string): string =>
  text.includes("\\")
    ? text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    : text;

interface CgroupMount {
  readonly version: 1 | 2;
  readonly root: string;
  readonly mountPoint: string;
  readonly controllers: readonly string[];
}

/** Cgroup mounts of mountinfo(5); of a hierarchy that is mounted several times, the first. */
function parseMounts(mountinfo: string): CgroupMount[] {
  const mounts = new Map<string, CgroupMount>();
  for (const line of mountinfo.split("\n")) {
    const separator = line.indexOf(" - cgroup");
    if (separator < 0) continue;
    const [type, , options = ""] = line.slice(separator + 3).split(" ");
    const fields = line.slice(0, separator).split(" ");
    const place = { root: unescapeOctal(fields[3] ?? "/"), mountPoint: unescapeOctal(fields[4] ?? "") };
    if (type === "cgroup2") {
      if (!mounts.has("unified")) mounts.set("unified", { version: 2, controllers: [], ...place });
    } else if (type === "cgroup") {
      const controllers = options
        .split(",")
        .filter((o) => !V1_FLAGS.has(o) && !o.startsWith("release_agent="));
      const key = controllers.join();
      if (!mounts.has(key)) mounts.set(key, { version: 1, controllers, ...place });
    }
  }
  return [...mounts.values()];
}

/** PID 1's group as LXC takes it: systemd's own `init.scope` is not a place for others. */
const withoutInitScope = (path: string): string =>
  path.endsWith("/init.scope") ? path.slice(0, -"/init.scope".length) || "/" : path;

/** `group` seen from a mount whose root is `mountRoot` (not `/` where only a part of the tree is mounted). */
function belowMount(mountPoint: string, mountRoot: string, group: string): string {
  const inner =
    mountRoot !== "/" && (group === mountRoot || group.startsWith(`${mountRoot}/`))
      ? group.slice(mountRoot.length)
      : group;
  return inner === "/" || inner === "" ? mountPoint : `${mountPoint}${inner}`;
}

/** Pure part of {@link detectLayout}. @throws CgroupError `cgroups-not-mounted` */
export function parseLayout(source: LayoutSource): CgroupLayout {
  const pid1 = parseGroups(source.pid1);
  const hierarchies: Hierarchy[] = [];
  for (const mount of parseMounts(source.mountinfo)) {
    const key = mount.version === 2 ? "unified" : mount.controllers.join();
    const group = pid1.get(mount.version === 2 ? "unified" : (mount.controllers[0] ?? ""));
    if (group === undefined) continue;
    const base = withoutInitScope(group);
    const root = belowMount(mount.mountPoint, mount.root, base);
    const controllers =
      mount.version === 1 ? mount.controllers : source.controllers(root).trim().split(" ").filter(Boolean);
    hierarchies.push({ version: mount.version, controllers, key, mountPoint: mount.mountPoint, base, root });
  }
  if (hierarchies.length === 0) {
    throw new CgroupError("cgroups-not-mounted", "control groups: no cgroup file system is mounted", {
      fix: "Mount one: mount -t cgroup2 none /sys/fs/cgroup",
    });
  }
  const v1 = hierarchies.some((h) => h.version === 1);
  const v2 = hierarchies.some((h) => h.version === 2);
  return { mode: v1 ? (v2 ? "hybrid" : "legacy") : "unified", hierarchies };
}

/**
 * Reads which hierarchies are mounted: three small files of /proc and cgroupfs, nothing kept.
 * @throws CgroupError `cgroups-not-mounted`
 */
export function detectLayout(): CgroupLayout {
  return parseLayout({
    mountinfo: readFileSync("/proc/self/mountinfo", "utf8"),
    pid1: readFileSync("/proc/1/cgroup", "utf8"),
    controllers: (folder) => {
      try {
        return readFileSync(`${folder}/cgroup.controllers`, "utf8");
      } catch (error) {
        if (isMissing(error)) return "";
        throw error;
      }
    },
  });
}

/**
 * The hierarchy that has a controller. `freezer` and `devices`, which v2 has without listing them, fall to v2.
 * Undefined where this machine has it nowhere.
 */
export function hierarchyOf(layout: CgroupLayout, controller: string): Hierarchy | undefined {
  const listed = layout.hierarchies.find((h) => h.controllers.includes(controller));
  if (listed !== undefined) return listed;
  const core = controller === "freezer" || controller === "devices" || controller === "cgroup";
  return core ? layout.hierarchies.find((h) => h.version === 2) : undefined;
}
