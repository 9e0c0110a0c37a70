/** The nodes and links of a container's /dev. Pure. */
import type { Config, Device } from "../spec/config.ts";
import { parseMountOptions } from "../spec/mount-options.ts";
import { destinationOf } from "./mount-plan.ts";
import { Plan } from "./plan.ts";

const DEFAULT_DEVICES: readonly Device[] = (
  [
    ["null", 1, 3],
    ["zero", 1, 5],
    ["full", 1, 7],
    ["random", 1, 8],
    ["urandom", 1, 9],
    ["tty", 5, 0],
  ] as const
).map(([name, major, minor]) => ({ type: "c", path: `/dev/${name}`, major, minor, fileMode: 0o666 }));

const LINKS: readonly (readonly [string, string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

const TYPE_BITS: Readonly<Record<Device["type"], number>> = {
  c: 0o020000,
  u: 0o020000,
  b: 0o060000,
  p: 0o010000,
};

/** Whether /dev is the container's own: not when the host's, or another, is bound there. */
export function ownsDev(config: Config): boolean {
  return !(config.mounts ?? []).some((mount) => {
    const options = parseMountOptions(mount.options ?? []);
    return destinationOf(mount) === "/dev" && (options.bind !== undefined || mount.type === "bind");
  });
}

/** A device as a record; in a user namespace nodes cannot be made, so the host's is bound. */
function deviceRecord(device: Device, bindFromHost: boolean): Plan {
  const plan = new Plan().add("dest", device.path);
  if (bindFromHost && device.type !== "p") return plan.add("host", device.path);
  return plan
    .add("mode", TYPE_BITS[device.type] | (device.fileMode ?? 0o666))
    .add("uid", device.uid)
    .add("gid", device.gid)
    .add("major", "major" in device ? device.major : 0)
    .add("minor", "minor" in device ? device.minor : 0);
}

/** Adds the devices that every container has, those of the config, and the usual links, unless /dev is bound. */
export function addDevices(plan: Plan, config: Config, userNamespace: boolean): void {
  if (!ownsDev(config)) return;
  const wanted = new Map(DEFAULT_DEVICES.map((device) => [device.path, device]));
  for (const device of config.linux?.devices ?? []) wanted.set(device.path, device);
  for (const device of wanted.values()) plan.add("device", deviceRecord(device, userNamespace));
  for (const [dest, target] of LINKS) plan.add("link", new Plan().add("dest", dest).add("target", target));
}
