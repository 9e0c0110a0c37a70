/**
 * What a valid config asks and this node cannot do, found out before anything is made (docs/probes.md). Each check
 * names the property; all of them are reported at once.
 */
import { closeSync, existsSync, openSync, statfsSync, statSync } from "node:fs";
import type { CgroupLayout } from "../cgroups/hierarchy.ts";
import { isMissing, messageOf } from "../host/errors.ts";
import { call } from "../host/libc.ts";
import { makesNamespace, namespaceOf } from "../lxc/config.ts";
import type { Config, NamespaceType } from "../spec/config.ts";
import { type Fault, SpecError } from "../spec/parse.ts";

/** @throws SpecError `invalid-config` listing every property that cannot be applied */
export async function refuseUnsupported(config: Config, rootfs: string, layout: CgroupLayout): Promise<void> {
  const faults = [
    ...rootFaults(config, rootfs),
    ...namespaceFaults(config),
    ...(await deviceFaults(config)),
    ...(await labelFaults(config)),
    ...(await seccompFaults(config)),
    ...(await resourceFaults(config, layout)),
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

/** CLONE_NEW* of the spec's types. */
const CLONE_FLAGS: Readonly<Record<NamespaceType, number>> = {
  time: 0x80,
  mount: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
};
const NSFS_MAGIC = 0x6e736673;
const NS_GET_NSTYPE = 0xb703;

/** Why the file is no namespace of this type (config-linux.md, "Namespaces": an error then). */
function namespaceFault(type: NamespaceType, path: string): string | undefined {
  try {
    if (statfsSync(path).type !== NSFS_MAGIC) return `${path}: is no namespace`;
    const fd = openSync(path, "r");
    try {
      const found = call("ioctl", [fd, NS_GET_NSTYPE], path);
      return found === CLONE_FLAGS[type] ? undefined : `${path}: is no ${type} namespace`;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return isMissing(error) ? `${path}: no such file or directory` : `${path}: ${messageOf(error)}`;
  }
}

function namespaceFaults(config: Config): Fault[] {
  const namespaces = config.linux?.namespaces ?? [];
  const faults: Fault[] = [];
  namespaces.forEach(({ type, path }, i) => {
    const where = `linux.namespaces[${i}]`;
    const fault = path ? namespaceFault(type, path) : undefined;
    if (fault !== undefined) faults.push({ path: `${where}.path`, message: fault });
    if (type === "time" && !existsSync("/proc/self/ns/time")) {
      faults.push({ path: where, message: "this kernel has no time namespaces (CONFIG_TIME_NS)" });
    }
  });
  if (makesNamespace(config, "user") && !makesNamespace(config, "mount")) {
    const message =
      "a new user namespace needs a new mount namespace: the kernel lets its root enter no other (setns(2))";
    faults.push({ path: "linux.namespaces", message });
  }
  return faults;
}

async function deviceFaults(config: Config): Promise<Fault[]> {
  const { netDevices, intelRdt } = config.linux ?? {};
  const faults: Fault[] = [];
  if (netDevices !== undefined) {
    const { netDeviceFaults } = await import("./net-devices.ts");
    faults.push(...(await netDeviceFaults(netDevices, namespaceOf(config, "network"))));
  }
  if (intelRdt !== undefined) {
    const { probeRdt, resctrlRoot } = await import("../cgroups/rdt.ts");
    faults.push(...probeRdt(intelRdt, resctrlRoot()));
  }
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

async function resourceFaults({ linux }: Config, layout: CgroupLayout): Promise<Fault[]> {
  if (linux?.resources === undefined) return [];
  const { probeResources } = await import("../cgroups/probe.ts");
  return [...probeResources(layout, linux.resources)];
}
