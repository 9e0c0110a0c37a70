/** `linux.devices`. config-linux.md, Devices. */
import type { Device } from "../config.ts";
import type { Findings } from "../faults.ts";
import { absolutePath, id, oneOf, uint32 } from "../scalars.ts";
import { array, object, type Shape } from "../shape.ts";

interface GivenDevice {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

const given = object<GivenDevice>({
  required: { type: oneOf(["c", "b", "u", "p"]), path: absolutePath },
  optional: { major: uint32, minor: uint32, fileMode: uint32, uid: id, gid: id },
});

const device: Shape<Device> = (value, path, findings) => {
  const checked = given(value, path, findings);
  if (checked === undefined) return undefined;
  const { type, major, minor, ...node } = checked;
  // Callers send whole mode words, with Go's or the kernel's file type bits.
  const rest = node.fileMode === undefined ? node : { ...node, fileMode: node.fileMode & 0o7777 };
  if (type === "p") return { ...rest, type };
  if (major !== undefined && minor !== undefined) return { ...rest, type, major, minor };
  if (findings.touches(path)) return undefined;
  return findings.fault(path, `major and minor are required for the type ${type}`);
};

/** One path for two different devices cannot be; the same device twice is odd, but works. */
function noConflict(items: readonly Device[], path: string, findings: Findings): void {
  const byPath = new Map<string, string>();
  const numbers = new Set<string>();
  items.forEach((device, index) => {
    const kind = device.type === "u" ? "c" : device.type;
    const what = device.type === "p" ? kind : `${kind} ${device.major}:${device.minor}`;
    const before = byPath.get(device.path);
    if (before !== undefined && before !== what) {
      findings.fault(`${path}[${index}].path`, `${device.path} is already the device ${before}`);
    } else if (before !== undefined || (kind !== "p" && numbers.has(what))) {
      findings.warn(`${path}[${index}]`, `the device ${what} is given more than once`);
    }
    byPath.set(device.path, what);
    numbers.add(what);
  });
}

export const devices = array(device, noConflict);
