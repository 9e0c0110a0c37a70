/** `linux.netDevices`: host network devices that move into a container (config-linux.md, "Network Devices"). */
import { existsSync, readlinkSync } from "node:fs";
import { messageOf } from "../host/errors.ts";
import { run, runChecked } from "../host/process.ts";
import type { Namespace, NetDevice } from "../spec/config.ts";
import type { Fault } from "../spec/parse.ts";
import { ContainerError } from "./errors.ts";

type NetDevices = Readonly<Record<string, NetDevice>>;

/** What `ip -j address` says of a device; the parts that we keep. */
interface Link {
  readonly ifname: string;
  readonly ifindex: number;
  readonly addr_info?: readonly Address[];
}

interface Address {
  readonly family: "inet" | "inet6";
  readonly local: string;
  /** The other end, of a point-to-point device. */
  readonly address?: string;
  readonly prefixlen: number;
  readonly broadcast?: string;
  readonly scope: string;
  readonly dynamic?: boolean;
}

/** ip(8) here, or in a network namespace given by its file. */
const ip = (namespace: string | undefined, ...args: readonly string[]): readonly string[] =>
  namespace === undefined ? ["ip", ...args] : ["nsenter", `--net=${namespace}`, "ip", ...args];

async function links(namespace?: string): Promise<readonly Link[]> {
  const { stdout } = await runChecked(ip(namespace, "-json", "address", "show"), { timeout: 10_000 });
  return JSON.parse(stdout) as readonly Link[];
}

const isTemplate = (name: string): boolean => name.endsWith("%d");

/** Each device that is not there, or whose name is taken in the network namespace that is joined. */
export async function netDeviceFaults(devices: NetDevices, network: Namespace | undefined): Promise<Fault[]> {
  if (Object.keys(devices).length === 0) return [];
  if (network === undefined || (network.path && isOwnNamespace(network.path))) {
    return [{ path: "linux.netDevices", message: "the container has no network namespace of its own" }];
  }
  const faults: Fault[] = [];
  const taken = new Set(network.path ? (await links(network.path)).map(({ ifname }) => ifname) : ["lo"]);
  for (const [host, { name = host }] of Object.entries(devices)) {
    const path = `linux.netDevices.${host}`;
    if (!existsSync(`/sys/class/net/${host}`))
      faults.push({ path, message: "this machine has no such network device" });
    if (taken.has(name)) faults.push({ path, message: `the container has a network device ${name} already` });
  }
  return faults;
}

function isOwnNamespace(path: string): boolean {
  try {
    return readlinkSync(path) === readlinkSync("/proc/self/ns/net");
  } catch {
    return false;
  }
}

/**
 * Moves the devices into the network namespace of process `pid`, in order, each with its addresses of global scope,
 * and up. The kernel keeps MTU and hardware address; with the namespace's end it returns physical devices itself.
 * @throws ContainerError `net-device-failed`; those moved before are back then
 */
export async function moveNetDevices(devices: NetDevices, pid: number): Promise<void> {
  const namespace = `/proc/${pid}/ns/net`;
  const moved: Moved[] = [];
  for (const [host, { name = host }] of Object.entries(devices)) {
    try {
      const link = (await links()).find(({ ifname }) => ifname === host);
      if (link === undefined) throw new Error("it is not there any more");
      const before = isTemplate(name) ? await links(namespace) : [];
      // The kernel moves first and names then: where the name is taken it is in there with its old one.
      const one: Moved = { host, name: host, link };
      moved.push(one);
      await batch(undefined, [`link set dev ${host} down`, `link set dev ${host} netns ${pid} name ${name}`]);
      one.name = isTemplate(name) ? await newName(namespace, before) : name;
      await configure(namespace, one.name, link);
    } catch (cause) {
      for (const { name, host, link } of moved.reverse()) await giveBack(namespace, name, host, link);
      throw new ContainerError(
        "net-device-failed",
        `move network device ${host} into the container: ${messageOf(cause)}`,
        { cause },
      );
    }
  }
}

/** A device on its way. */
interface Moved {
  readonly host: string;
  /** Its name inside. */
  name: string;
  readonly link: Link;
}

async function newName(namespace: string, before: readonly Link[]): Promise<string> {
  const known = new Set(before.map(({ ifname }) => ifname));
  const added = (await links(namespace)).find(({ ifname }) => !known.has(ifname));
  if (added === undefined) throw new Error("it did not arrive");
  return added.ifname;
}

/** Addresses that somebody set, on all of the network; others the kernel makes anew. */
const kept = ({ scope, dynamic }: Address): boolean => scope === "global" && dynamic !== true;

function configure(namespace: string | undefined, name: string, link: Link): Promise<void> {
  const addresses = (link.addr_info ?? [])
    .filter(kept)
    .map(({ local, address, prefixlen, broadcast, family }) => {
      const ends = address === undefined ? `${local}/${prefixlen}` : `${local} peer ${address}/${prefixlen}`;
      // The container did not get its address from its link: no other host was asked whether it is free, nor is now.
      const how = family === "inet6" ? " nodad" : broadcast === undefined ? "" : ` broadcast ${broadcast}`;
      return `address add ${ends} dev ${name}${how}`;
    });
  return batch(namespace, [...addresses, `link set dev ${name} up`]);
}

/** Runs lines of ip(8). Names come from the config: the spec's rules leave no blank in them. */
async function batch(namespace: string | undefined, lines: readonly string[]): Promise<void> {
  await runChecked(ip(namespace, "-batch", "-"), { stdin: `${lines.join("\n")}\n`, timeout: 10_000 });
}

async function giveBack(namespace: string, name: string, host: string, link: Link): Promise<void> {
  const back = ["link", "set", "dev", name, "netns", String(process.pid), "name", host];
  const { exitCode } = await run(ip(namespace, ...back), { timeout: 10_000 });
  if (exitCode === 0 || existsSync(`/sys/class/net/${host}`)) await configure(undefined, host, link);
}
