/** The liblxc configuration that a Proxmox container is started with, for LXC 6 on cgroup v2. */
import { LxcriError } from "../host/errors.ts";
import type { ContainerConfig } from "./config-text.ts";
import { DEVICE_FORMAT, FEATURES_FORMAT, numberedKey } from "./container-schema.ts";
import { parseNet } from "./net-interface.ts";
import { isTrue, splitList } from "./perl-values.ts";
import { parsePropertyString } from "./property-string.ts";

/** A device file's identity. */
export interface DeviceNumbers {
  readonly kind: "b" | "c";
  readonly major: number;
  readonly minor: number;
}

/** What the generator must know of the node. */
export interface LxcConfigNode {
  /** MTU of a bridge; undefined where it does not exist. */
  bridgeMtu(bridge: string): number | undefined;
  /** A device file; undefined where it does not exist. */
  device(path: string): DeviceNumbers | undefined;
}

const MIB = 2 ** 20;
const DEFAULT_MEMORY_MIB = 512;
const DEFAULT_INIT = "/sbin/init";
/** The kernel throttles this much below the limit (an eighth of a per cent of it at most) before it kills. */
const LARGEST_HEADROOM = 128 * MIB;

/** `memory.high` for a `memory.max`, both in bytes. */
export const memoryHigh = (max: number): number => max - Math.min(Math.trunc(max / 128), LARGEST_HEADROOM);

/** CPU bandwidth of a `cpulimit` (CPUs, fractions allowed): microseconds a period of 100 ms. */
export const cpuQuota = (cpulimit: string): number => Math.trunc(100_000 * Number(cpulimit));

/**
 * The lines of `/var/lib/lxc/<vmid>/config`, in order; undefined for a template, which is never started.
 * Lines that name files of the node's LXC installation (`lxc.include`) or of its syscall proxy are the
 * caller's to add.
 *
 * @throws {@link LxcriError} where a required key is missing, a value is not valid, or the node lacks a bridge
 * or device that is named
 */
export function generateLxcConfig(
  vmid: number,
  config: ContainerConfig,
  node: LxcConfigNode,
): string[] | undefined {
  const { values } = config;
  if (isTrue(values.get("template"))) return undefined;
  const arch = required(vmid, config, "arch");
  required(vmid, config, "ostype");
  required(vmid, config, "rootfs");
  const entrypoint = values.get("entrypoint");
  return [
    "lxc.cgroup.relative = 0",
    `lxc.cgroup.dir.monitor = lxc.monitor/${vmid}`,
    `lxc.cgroup.dir.container = lxc/${vmid}`,
    "lxc.cgroup.dir.container.inner = ns",
    `lxc.arch = ${arch}`,
    ...confinement(vmid, config),
    ...(entrypoint !== undefined && entrypoint !== DEFAULT_INIT
      ? ["lxc.mount.entry = shm dev/shm tmpfs rw,nosuid,nodev,create=dir 0 0"]
      : []),
    ...devices(config, node),
    "lxc.monitor.unshare = 1",
    ...idMap(config),
    ...console(config),
    "lxc.environment = TERM=linux",
    `lxc.uts.name = ${isTrue(values.get("hostname")) ? values.get("hostname") : `CT${vmid}`}`,
    ...limits(config),
    `lxc.rootfs.path = /var/lib/lxc/${vmid}/rootfs`,
    ...(entrypoint !== undefined ? [`lxc.init.cmd = ${entrypoint}`] : []),
    ...networks(vmid, config, node),
    ...environment(config),
    ...config.lxc.map(([key, value]) => `${key} = ${value}`),
  ];
}

function required(vmid: number, config: ContainerConfig, key: string): string {
  const value = config.values.get(key);
  if (!isTrue(value))
    throw new LxcriError(
      "pve-config-incomplete",
      `cannot start container ${vmid}: its configuration lacks '${key}'`,
      {
        fix: `Set '${key}' in the container's configuration.`,
      },
    );
  return value;
}

const hasRaw = (config: ContainerConfig, wanted: string): boolean =>
  config.lxc.some(([key]) => key === wanted);

const isUnprivileged = (config: ContainerConfig): boolean => isTrue(config.values.get("unprivileged"));

/** Seccomp, AppArmor and what the container's features open in them. */
function confinement(vmid: number, config: ContainerConfig): string[] {
  const text = config.values.get("features");
  const features =
    text === undefined ? new Map<string, string>() : parsePropertyString(FEATURES_FORMAT, text);
  const has = (feature: string): boolean => features.get(feature) === "1";
  const lines: string[] = [];
  if (isUnprivileged(config) && !hasRaw(config, "lxc.seccomp.profile"))
    lines.push(`lxc.seccomp.profile = /var/lib/lxc/${vmid}/rules.seccomp`);
  if (!hasRaw(config, "lxc.apparmor.profile")) {
    lines.push("lxc.apparmor.profile = generated", "lxc.apparmor.raw = allow mqueue,");
    if (has("nesting")) lines.push("lxc.apparmor.allow_nesting = 1", "lxc.apparmor.raw = allow userns,");
    else lines.push("lxc.apparmor.raw = deny mount -> /proc/,", "lxc.apparmor.raw = deny mount -> /sys/,");
    for (const type of splitList(features.get("mount") ?? ""))
      lines.push(`lxc.apparmor.raw = mount fstype=${type},`);
    if (has("fuse")) lines.push("lxc.apparmor.raw = mount fstype=fuse,");
  }
  if (has("fuse")) lines.push("lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file 0 0");
  if (isUnprivileged(config) && !has("force_rw_sys")) lines.push("lxc.mount.auto = sys:mixed");
  return lines;
}

/** Entries of one numbered family, in the order of their numbers. */
function entriesOf(config: ContainerConfig, family: string): { key: string; index: number; value: string }[] {
  return [...config.values]
    .flatMap(([key, value]) => {
      const numbered = numberedKey(key);
      return numbered?.family === family ? [{ key, index: numbered.index, value }] : [];
    })
    .sort((a, b) => a.index - b.index);
}

function devices(config: ContainerConfig, node: LxcConfigNode): string[] {
  return entriesOf(config, "dev").map(({ key, value }) => {
    const properties = parsePropertyString(DEVICE_FORMAT, value);
    const path = properties.get("path");
    const device = path === undefined ? undefined : node.device(path);
    if (device === undefined)
      throw new LxcriError(
        "pve-device-missing",
        `cannot pass ${key} through: device ${path ?? "(no path)"} does not exist`,
      );
    const access = properties.get("deny-write") === "1" ? "r" : "rw";
    return `lxc.cgroup2.devices.allow = ${device.kind} ${device.major}:${device.minor} ${access}`;
  });
}

function idMap(config: ContainerConfig): string[] {
  if (!isUnprivileged(config) || hasRaw(config, "lxc.idmap")) return [];
  return ["lxc.idmap = u 0 100000 65536", "lxc.idmap = g 0 100000 65536"];
}

function console(config: ContainerConfig): string[] {
  const lines = [`lxc.tty.max = ${config.values.get("tty") ?? "2"}`];
  if (config.values.get("console") === "0")
    lines.unshift("lxc.console.path = none", "lxc.cgroup2.devices.deny = c 5:1 rwm");
  return lines;
}

function limits(config: ContainerConfig): string[] {
  const { values } = config;
  const memory = isTrue(values.get("memory")) ? Number(values.get("memory")) : DEFAULT_MEMORY_MIB;
  const max = Math.trunc(memory * MIB);
  const lines = [
    `lxc.cgroup2.memory.max = ${max}`,
    `lxc.cgroup2.memory.high = ${memoryHigh(max)}`,
    `lxc.cgroup2.memory.swap.max = ${Math.trunc(Number(values.get("swap") ?? "0") * MIB)}`,
  ];
  const cpulimit = values.get("cpulimit");
  if (cpulimit !== undefined && Number(cpulimit) > 0)
    lines.push(`lxc.cgroup2.cpu.max = ${cpuQuota(cpulimit)} 100000`);
  const weight = values.get("cpuunits");
  if (weight !== undefined) lines.push(`lxc.cgroup2.cpu.weight = ${weight}`);
  return lines;
}

/** Interfaces in the ASCII order of their keys: net10 before net2. */
function networks(vmid: number, config: ContainerConfig, node: LxcConfigNode): string[] {
  const entries = entriesOf(config, "net").sort((a, b) => (a.key < b.key ? -1 : 1));
  return entries.flatMap(({ key, index, value }) => {
    const net = parseNet(value);
    const bridge = net.get("bridge");
    const bridgeMtu = bridge === undefined ? undefined : node.bridgeMtu(bridge);
    if (bridgeMtu === undefined)
      throw new LxcriError(
        "pve-bridge-missing",
        `cannot attach ${key}: bridge ${bridge ?? "(none)"} does not exist`,
      );
    const mtu = isTrue(net.get("mtu")) ? (net.get("mtu") ?? "") : String(bridgeMtu);
    if (Number(mtu) > bridgeMtu)
      throw new LxcriError(
        "pve-mtu-too-large",
        `cannot attach ${key}: MTU ${mtu} exceeds ${bridgeMtu} of ${bridge}`,
        {
          fix: `Lower the interface's mtu to ${bridgeMtu}, or raise that of ${bridge}.`,
        },
      );
    const hwaddr = net.get("hwaddr");
    return [
      "type = veth",
      `veth.pair = veth${vmid}i${index}`,
      ...(hwaddr === undefined ? [] : [`hwaddr = ${hwaddr}`]),
      `name = ${net.get("name")}`,
      `mtu = ${mtu}`,
      "script.up = /usr/share/lxc/lxcnetaddbr",
      ...hostManaged(net),
    ].map((line) => `lxc.net.${index}.${line}`);
  });
}

/** Addresses that the host sets itself, for containers without network tools. */
function hostManaged(net: ReadonlyMap<string, string>): string[] {
  if (net.get("host-managed") !== "1") return [];
  const lines: string[] = [];
  for (const [family, address, gateway] of [
    ["ipv4", net.get("ip"), net.get("gw")],
    ["ipv6", net.get("ip6"), net.get("gw6")],
  ] as const) {
    if (address?.includes("/")) lines.push(`${family}.address = ${address}`);
    if (gateway !== undefined) lines.push(`${family}.gateway = ${gateway}`);
  }
  if (net.get("link_down") !== "1") lines.push("flags = up");
  return lines;
}

function environment(config: ContainerConfig): string[] {
  const text = config.values.get("env");
  return text === undefined ? [] : text.split("\0").map((entry) => `lxc.environment.runtime = ${entry}`);
}
