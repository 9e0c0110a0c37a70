/** The mount options of config.md, Linux mount options (1.3.0, all of the table), in terms of the kernel. */

/** mount(2) flags. */
export const MS = {
  RDONLY: 1 << 0,
  NOSUID: 1 << 1,
  NODEV: 1 << 2,
  NOEXEC: 1 << 3,
  SYNCHRONOUS: 1 << 4,
  REMOUNT: 1 << 5,
  MANDLOCK: 1 << 6,
  DIRSYNC: 1 << 7,
  NOSYMFOLLOW: 1 << 8,
  NOATIME: 1 << 10,
  NODIRATIME: 1 << 11,
  BIND: 1 << 12,
  REC: 1 << 14,
  SILENT: 1 << 15,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  I_VERSION: 1 << 23,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

/** mount_setattr(2) attributes. `ATIME` is the field that NOATIME, STRICTATIME and relatime (0) share. */
export const MOUNT_ATTR = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  ATIME: 0x70,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  NOSYMFOLLOW: 0x200000,
} as const;

/** Bits to turn on and bits to turn off. No bit is in both, except that `clear` holds all of an atime field. */
export interface BitChange {
  readonly set: number;
  readonly clear: number;
}

/** A mount's `options`, sorted by what has to be done for them. */
export interface MountOptions {
  /** `MS_*` for mount(2), without BIND, REC and propagation. `clear`: named by an option such as `rw`. */
  readonly flags: BitChange & { readonly remount: boolean };
  /** `MOUNT_ATTR_*` for mount_setattr(AT_RECURSIVE), from `rro`, `rnosuid` …; undefined when there are none. */
  readonly recursive: BitChange | undefined;
  /** `MS_SHARED`, `MS_PRIVATE` …, with MS_REC for the `r…` forms: one mount(2) call each, in this order. */
  readonly propagation: readonly number[];
  /** `ridmap` maps all mounts of an rbind. */
  readonly idmap: "idmap" | "ridmap" | undefined;
  /** Copy what the image has at the destination into the tmpfs. */
  readonly tmpcopyup: boolean;
  readonly bind: "bind" | "rbind" | undefined;
  /** What the file system itself understands, to be joined by commas. */
  readonly data: readonly string[];
}

/** Option to flag: `+` sets, `-` clears. */
const FLAGS: ReadonlyMap<string, readonly ["+" | "-", number]> = new Map([
  ["async", ["-", MS.SYNCHRONOUS]],
  ["atime", ["-", MS.NOATIME]],
  ["defaults", ["+", 0]],
  ["dev", ["-", MS.NODEV]],
  ["diratime", ["-", MS.NODIRATIME]],
  ["dirsync", ["+", MS.DIRSYNC]],
  ["exec", ["-", MS.NOEXEC]],
  ["iversion", ["+", MS.I_VERSION]],
  ["lazytime", ["+", MS.LAZYTIME]],
  ["loud", ["-", MS.SILENT]],
  ["mand", ["+", MS.MANDLOCK]],
  ["noatime", ["+", MS.NOATIME]],
  ["nodev", ["+", MS.NODEV]],
  ["nodiratime", ["+", MS.NODIRATIME]],
  ["noexec", ["+", MS.NOEXEC]],
  ["noiversion", ["-", MS.I_VERSION]],
  ["nolazytime", ["-", MS.LAZYTIME]],
  ["nomand", ["-", MS.MANDLOCK]],
  ["norelatime", ["-", MS.RELATIME]],
  ["nostrictatime", ["-", MS.STRICTATIME]],
  ["nosuid", ["+", MS.NOSUID]],
  ["nosymfollow", ["+", MS.NOSYMFOLLOW]],
  ["relatime", ["+", MS.RELATIME]],
  ["remount", ["+", MS.REMOUNT]],
  ["ro", ["+", MS.RDONLY]],
  ["rw", ["-", MS.RDONLY]],
  ["silent", ["+", MS.SILENT]],
  ["strictatime", ["+", MS.STRICTATIME]],
  ["suid", ["-", MS.NOSUID]],
  ["symfollow", ["-", MS.NOSYMFOLLOW]],
  ["sync", ["+", MS.SYNCHRONOUS]],
]);

const PROPAGATION: ReadonlyMap<string, number> = new Map([
  ["private", MS.PRIVATE],
  ["rprivate", MS.PRIVATE | MS.REC],
  ["rshared", MS.SHARED | MS.REC],
  ["rslave", MS.SLAVE | MS.REC],
  ["runbindable", MS.UNBINDABLE | MS.REC],
  ["shared", MS.SHARED],
  ["slave", MS.SLAVE],
  ["unbindable", MS.UNBINDABLE],
]);

/** The `r…` attributes. In the atime field, turning one off leaves the kernel's default, relatime. */
const RECURSIVE: ReadonlyMap<string, BitChange> = new Map([
  ["ratime", { set: 0, clear: MOUNT_ATTR.ATIME }],
  ["rdev", { set: 0, clear: MOUNT_ATTR.NODEV }],
  ["rdiratime", { set: 0, clear: MOUNT_ATTR.NODIRATIME }],
  ["rexec", { set: 0, clear: MOUNT_ATTR.NOEXEC }],
  ["rnoatime", { set: MOUNT_ATTR.NOATIME, clear: MOUNT_ATTR.ATIME }],
  ["rnodev", { set: MOUNT_ATTR.NODEV, clear: 0 }],
  ["rnodiratime", { set: MOUNT_ATTR.NODIRATIME, clear: 0 }],
  ["rnoexec", { set: MOUNT_ATTR.NOEXEC, clear: 0 }],
  ["rnorelatime", { set: 0, clear: MOUNT_ATTR.ATIME }],
  ["rnostrictatime", { set: 0, clear: MOUNT_ATTR.ATIME }],
  ["rnosuid", { set: MOUNT_ATTR.NOSUID, clear: 0 }],
  ["rnosymfollow", { set: MOUNT_ATTR.NOSYMFOLLOW, clear: 0 }],
  ["rrelatime", { set: 0, clear: MOUNT_ATTR.ATIME }],
  ["rro", { set: MOUNT_ATTR.RDONLY, clear: 0 }],
  ["rrw", { set: 0, clear: MOUNT_ATTR.RDONLY }],
  ["rstrictatime", { set: MOUNT_ATTR.STRICTATIME, clear: MOUNT_ATTR.ATIME }],
  ["rsuid", { set: 0, clear: MOUNT_ATTR.NOSUID }],
  ["rsymfollow", { set: 0, clear: MOUNT_ATTR.NOSYMFOLLOW }],
]);

/** Every option name that is understood here and not passed to the file system, sorted. features.md. */
export const mountOptionNames = (): readonly string[] =>
  [
    ...FLAGS.keys(),
    ...PROPAGATION.keys(),
    ...RECURSIVE.keys(),
    ...["bind", "rbind", "idmap", "ridmap", "tmpcopyup"],
  ].sort();

/** Sorts `options`; of two that contradict each other the later wins. Unknown ones are the file system's. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let flags: BitChange = { set: 0, clear: 0 };
  let recursive: BitChange | undefined;
  let idmap: MountOptions["idmap"];
  let bind: MountOptions["bind"];
  let tmpcopyup = false;
  const propagation: number[] = [];
  const data: string[] = [];

  for (const option of options) {
    const flag = FLAGS.get(option);
    const kind = PROPAGATION.get(option);
    const attribute = RECURSIVE.get(option);
    if (flag !== undefined) {
      const [sign, bit] = flag;
      flags = apply(flags, sign === "+" ? { set: bit, clear: 0 } : { set: 0, clear: bit });
    } else if (kind !== undefined) propagation.push(kind);
    else if (attribute !== undefined) recursive = apply(recursive ?? { set: 0, clear: 0 }, attribute);
    else if (option === "bind" || option === "rbind") bind = option;
    else if (option === "idmap" || option === "ridmap") idmap = option;
    else if (option === "tmpcopyup") tmpcopyup = true;
    else if (option !== "") data.push(option);
  }
  const remount = (flags.set & MS.REMOUNT) !== 0;
  return { flags: { ...flags, remount }, recursive, propagation, idmap, tmpcopyup, bind, data };
}

/** `change` on top of `before`. An atime attribute clears its whole field, also the bit that it sets. */
function apply(before: BitChange, change: BitChange): BitChange {
  return {
    set: (before.set & ~change.clear) | change.set,
    clear: (before.clear & ~change.set) | change.clear,
  };
}
