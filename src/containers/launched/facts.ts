/** What planning a launch asks of the node. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { close, openBeneath, openDirectory, readlinkAt } from "../../host/at.ts";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { probeAppArmor } from "../../security/apparmor.ts";
import type { DefaultSeccompArch } from "../../security/seccomp/default-profile.ts";
import type { FoundDevice } from "./plan-config.ts";
import { LXCFS } from "./plan-mounts.ts";
import type { RequestedDevice } from "./request.ts";

/** Files that lxcfs serves for /proc, as far as this one does; empty where it does not run. */
export function lxcfsFiles(root = LXCFS): readonly string[] {
  if (!existsSync(join(root, "proc/meminfo"))) return [];
  const files = readdirSync(join(root, "proc")).map((name) => `proc/${name}`);
  const online = "sys/devices/system/cpu";
  return existsSync(join(root, online)) ? [...files, online] : files;
}

/** @throws LxcriError `architecture-unsupported` */
export function seccompArchitecture(machine: string = arch()): DefaultSeccompArch {
  if (machine === "x64" || machine === "arm64") return machine;
  throw new LxcriError("architecture-unsupported", `launch: has no seccomp profile for ${machine}`, {
    fix: "Use --privileged, which goes without one.",
  });
}

/** Profiles that a container may be given; empty without AppArmor. */
export const appArmorProfiles = (): ReadonlySet<string> => new Set(probeAppArmor().profiles?.keys() ?? []);

/** Looks a device up. @throws LxcriError `device-missing` */
export function findDevice(device: RequestedDevice): FoundDevice {
  let info: ReturnType<typeof statSync>;
  try {
    info = statSync(device.source);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new LxcriError("device-missing", `--device ${device.source}: no such file`, { cause });
  }
  const type = info.isCharacterDevice() ? "c" : info.isBlockDevice() ? "b" : undefined;
  if (type === undefined)
    throw new LxcriError("device-missing", `--device ${device.source}: is not a device`);
  const rdev = BigInt(info.rdev);
  return {
    ...device,
    type,
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn)),
  };
}

/** Signals by which inits are told to shut down; others take SIGPWR, as LXC sends it. */
const HALT_SIGNALS: readonly (readonly [RegExp, string])[] = [
  [/systemd/, "SIGRTMIN+3"],
  [/busybox/, "SIGUSR2"],
];

/** How to stop a system container: by what its /sbin/init is a link to. */
export function haltSignal(rootfs: string): string {
  const root = openDirectory(rootfs);
  try {
    const folder = openBeneath(root, "sbin", 0);
    try {
      const target = readlinkAt(folder, "init");
      return HALT_SIGNALS.find(([pattern]) => pattern.test(target))?.[1] ?? "SIGPWR";
    } finally {
      close(folder);
    }
  } catch {
    // No link: an init of its own, or none at all, which the start will say.
    return "SIGPWR";
  } finally {
    close(root);
  }
}
