/**
 * What a valid config asks and this node cannot do, found out before anything is made (docs/probes.md). Each check
 * names the property; all of them are reported at once.
 */
import { existsSync, statSync } from "node:fs";
import { messageOf } from "../host/errors.ts";
import type { Config } from "../spec/config.ts";
import { type Fault, SpecError } from "../spec/parse.ts";

/** @throws SpecError `invalid-config` listing every property that cannot be applied */
export async function refuseUnsupported(config: Config, rootfs: string): Promise<void> {
  const faults = [
    ...rootFaults(config, rootfs),
    ...namespaceFaults(config),
    ...(await labelFaults(config)),
    ...(await seccompFaults(config)),
    ...(await resourceFaults(config)),
  ];
  if (faults.length > 0) throw new SpecError("config.json", faults);
}

function rootFaults(config: Config, rootfs: string): Fault[] {
  const fault = (why: string): Fault[] => [
    { path: "root.path", message: `rootfs ${JSON.stringify(config.root.path)} (${rootfs}): ${why}` },
  ];
  try {
    return statSync(rootfs).isDirectory() ? [] : fault("not a directory");
  } catch {
    return fault("no such file or directory");
  }
}

/** LXC always makes the mount namespace, and pivots in it; a path must be there. */
function namespaceFaults(config: Config): Fault[] {
  const namespaces = config.linux?.namespaces ?? [];
  const faults: Fault[] = [];
  if (!namespaces.some(({ type }) => type === "mount")) {
    faults.push({ path: "linux.namespaces", message: "a mount namespace is needed: LXC always makes one" });
  }
  namespaces.forEach(({ type, path }, i) => {
    const where = `linux.namespaces[${i}]`;
    if (type === "mount" && path) {
      faults.push({ path: where, message: "a mount namespace cannot be joined: LXC would change its root" });
    } else if (path && !existsSync(path)) {
      faults.push({ path: `${where}.path`, message: `${path}: no such file or directory` });
    }
    if (type === "time" && !existsSync("/proc/self/ns/time")) {
      faults.push({ path: where, message: "this kernel has no time namespaces (CONFIG_TIME_NS)" });
    }
  });
  return faults;
}

/** The fault that a check reports by throwing. */
function faultOf(path: string, check: () => unknown): Fault[] {
  try {
    check();
    return [];
  } catch (error) {
    return [{ path, message: messageOf(error) }];
  }
}

async function labelFaults({ process, linux }: Config): Promise<Fault[]> {
  const faults: Fault[] = [];
  const profile = process.apparmorProfile;
  if (profile) {
    const { apparmorLabel, probeAppArmor } = await import("../security/apparmor.ts");
    faults.push(...faultOf("process.apparmorProfile", () => apparmorLabel(profile, probeAppArmor())));
  }
  for (const [path, label] of [
    ["process.selinuxLabel", process.selinuxLabel],
    ["linux.mountLabel", linux?.mountLabel],
  ] as const) {
    if (!label) continue;
    const { probeSELinux, selinuxLabel } = await import("../security/selinux.ts");
    faults.push(...faultOf(path, () => selinuxLabel(label, path, probeSELinux())));
  }
  return faults;
}

async function seccompFaults({ linux }: Config): Promise<Fault[]> {
  if (linux?.seccomp === undefined) return [];
  const probe = await import("../security/seccomp/probe.ts");
  return probe
    .seccompFaults(linux.seccomp, probe.probeSeccomp())
    .map(({ path, message }) => ({ path: path ? `linux.seccomp.${path}` : "linux.seccomp", message }));
}

async function resourceFaults({ linux }: Config): Promise<Fault[]> {
  if (linux?.resources === undefined) return [];
  const { detectLayout } = await import("../cgroups/hierarchy.ts");
  const { probeResources } = await import("../cgroups/probe.ts");
  return [...probeResources(detectLayout(), linux.resources)];
}
