/** Where a container's groups go: OCI `linux.cgroupsPath` → folders, LXC's relative names, a systemd scope. Pure. */
import { CgroupError, type CgroupLayout } from "./hierarchy.ts";

/** Begins the group of LXC's monitor, which lives for the moment of a create. */
const MONITOR_PREFIX = "lxcri-monitor-";
/** Begins the group of a container that names none: no parent of ours, so none to leave behind or to race for. */
const DEFAULT_PREFIX = "lxcri-";
/** Group inside a systemd scope: the scope itself keeps no process, as v2 wants of a parent. */
export const SCOPE_LEAF = "container";

/** NAME_MAX. */
const MAX_NAME = 255;

/** What {@link planGroups} is asked. */
export interface GroupRequest {
  /** Container id, already validated; also the default group name. */
  readonly id: string;
  /** `linux.cgroupsPath` as the config has it; empty is the same as absent. */
  readonly cgroupsPath?: string | undefined;
  /** systemd: the path is `slice:prefix:name` and systemd makes the group. */
  readonly driver: "cgroupfs" | "systemd";
}

/** A transient systemd unit around the container's leaf. */
export interface ScopeName {
  /** Unit name, ending in `.scope`. */
  readonly unit: string;
  /** Slice that the scope is in, ending in `.slice`. */
  readonly slice: string;
  /** Absolute folder of the scope per hierarchy, keyed as in {@link GroupPlan.leaves}. */
  readonly folders: Readonly<Record<string, string>>;
}

/** A container's place in all hierarchies. */
export interface GroupPlan {
  /** `lxc.cgroup.dir.container`: relative to PID 1's group, the same name in every hierarchy. */
  readonly path: string;
  /** `lxc.cgroup.dir.monitor`: unique, to be removed as soon as the monitor has ended. */
  readonly monitor: string;
  /** Absolute leaf folder per hierarchy: `unified` for v2, the controllers (`cpu,cpuacct`) for v1. */
  readonly leaves: Readonly<Record<string, string>>;
  /** Absolute monitor folder per hierarchy, keyed alike. */
  readonly monitors: Readonly<Record<string, string>>;
  /** Present with the systemd driver. */
  readonly scope?: ScopeName;
}

const refuse = (path: string, why: string): CgroupError =>
  new CgroupError("cgroups-path-invalid", `linux.cgroupsPath ${JSON.stringify(path)}: ${why}`);

/** Components of a path that comes from outside. @throws CgroupError `cgroups-path-invalid` */
function components(path: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\x00-\x1f\x7f]/.test(path)) throw refuse(path, "contains a control character");
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse(path, 'contains ".."');
  if (parts.length === 0) throw refuse(path, "names the root group");
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME))
    throw refuse(path, "a name is longer than 255 bytes");
  const first = parts[0] ?? "";
  // LXC's config reader trims blanks and takes off quotes around a value.
  if (/^[\s"']/.test(first) || /[\s"']$/.test(path))
    throw refuse(path, "begins or ends with a blank or a quote");
  return parts;
}

/** A long id is cut, and told from others that begin alike by its hash. */
function groupName(prefix: string, id: string): string {
  const name = `${prefix}${id}`;
  if (name.length <= MAX_NAME) return name;
  const hash = Bun.hash(id).toString(16);
  return `${name.slice(0, MAX_NAME - 1 - hash.length)}-${hash}`;
}

const join = (root: string, path: string): string => (root === "/" ? `/${path}` : `${root}/${path}`);

const foldersOf = (layout: CgroupLayout, path: string): Record<string, string> =>
  Object.fromEntries(layout.hierarchies.map((h) => [h.key, join(h.root, path)]));

/**
 * `a-b.slice` as the folders that systemd gives it: `a.slice/a-b.slice`; `-.slice` is the root: "".
 * @throws CgroupError `cgroups-path-invalid`
 */
export function expandSlice(slice: string): string {
  const wrong = (why: string) => refuse(slice, `${why}; a slice looks like kubepods-burstable.slice`);
  if (!slice.endsWith(".slice") || slice === ".slice") throw wrong("is no slice");
  if (!/^[A-Za-z0-9:_.\\@-]{1,249}$/.test(slice.slice(0, -6)))
    throw wrong("has a character that units must not have");
  const name = slice.slice(0, -".slice".length);
  if (name === "-") return "";
  const parts = name.split("-");
  if (parts.includes("")) throw wrong("begins or ends with a dash, or has two in a row");
  return parts.map((_, i) => `${parts.slice(0, i + 1).join("-")}.slice`).join("/");
}

/** `slice:prefix:name` → scope. @throws CgroupError `cgroups-path-invalid` */
function parseScope(request: GroupRequest): { unit: string; slice: string; path: string } {
  const path = request.cgroupsPath || `system.slice:lxcri:${request.id}`;
  const parts = path.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3 || name === "") {
    throw refuse(path, 'with systemd cgroups the form is "slice:prefix:name"');
  }
  if (name.endsWith(".slice")) throw refuse(path, "a container cannot be a slice");
  const unit = prefix === "" ? `${name}.scope` : `${prefix}-${name}.scope`;
  if (!/^[A-Za-z0-9:_.\\@-]{1,255}$/.test(unit)) {
    throw refuse(path, `${unit} is no unit name (letters, digits, ":_.\\@-", 255 at most)`);
  }
  const parent = slice === "" ? "system.slice" : slice;
  const folder = expandSlice(parent);
  return { unit, slice: parent, path: folder === "" ? unit : `${folder}/${unit}` };
}

/**
 * OCI cgroupsPath → path below the base groups; a relative one counts from there too. Absolute paths count from the base, so that in a container of
 * our own (PID 1 not in the root group) they stay inside; where they name that base themselves it is taken off.
 */
function plainPath(layout: CgroupLayout, request: GroupRequest): string {
  const asked = request.cgroupsPath;
  if (asked === undefined || asked === "") return groupName(DEFAULT_PREFIX, request.id);
  const path = components(asked).join("/");
  const bases = layout.hierarchies.map((h) => h.base.slice(1));
  const [base] = bases;
  const named =
    base !== undefined && base !== "" && bases.every((b) => b === base) && path.startsWith(`${base}/`);
  return named ? path.slice(base.length + 1) : path;
}

/**
 * The groups of a container (OCI config-linux, "Cgroups Path").
 * @throws CgroupError `cgroups-path-invalid`
 */
export function planGroups(layout: CgroupLayout, request: GroupRequest): GroupPlan {
  if (request.id.includes("/")) throw refuse(request.id, "a container id is one name");
  const scope = request.driver === "systemd" ? parseScope(request) : undefined;
  const path = scope === undefined ? plainPath(layout, request) : `${scope.path}/${SCOPE_LEAF}`;
  if (Buffer.byteLength(path) > 3000) throw refuse(path, "is longer than 3000 bytes");
  // Containers of one id may be made at the same time, below different --root folders.
  const monitor = groupName(`${MONITOR_PREFIX}${process.pid}-`, request.id);
  return {
    path,
    monitor,
    leaves: foldersOf(layout, path),
    monitors: foldersOf(layout, monitor),
    ...(scope === undefined
      ? {}
      : { scope: { unit: scope.unit, slice: scope.slice, folders: foldersOf(layout, scope.path) } }),
  };
}
