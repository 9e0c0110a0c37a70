/** /proc/self/mountinfo: what is mounted where. */
import { readFileSync, realpathSync } from "node:fs";
import { LxcriError } from "./errors.ts";

/** One mount, as proc(5) shows it. */
export interface MountEntry {
  /** Mount point, absolute. */
  readonly point: string;
  /** File system type; `fuse.zfs` for example. */
  readonly type: string;
  /** Device, dataset, or whatever the file system calls it. */
  readonly source: string;
}

/** Blanks and the like are octal there. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** All mounts, later ones over earlier ones. */
export function readMounts(): MountEntry[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [type = "", source = ""] = after.split(" ");
      return { point: unescaped(before.split(" ")[4] ?? ""), type, source: unescaped(source) };
    });
}

/** The mount that an existing path is in. */
export function mountOf(path: string): MountEntry {
  const real = realpathSync(path);
  const holds = ({ point }: MountEntry): boolean =>
    point === "/" || real === point || real.startsWith(`${point}/`);
  let found: MountEntry | undefined;
  for (const mount of readMounts()) {
    if (holds(mount) && (found === undefined || mount.point.length >= found.point.length)) found = mount;
  }
  if (found === undefined) throw new LxcriError("mount-missing", `${path}: is in no mount of this namespace`);
  return found;
}
