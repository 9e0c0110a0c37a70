/** `netN`: a container's network interface, exactly as Proxmox reads and writes it, and with types. */
import { NET_FORMAT } from "./container-schema.ts";
import { isTrue, splitList } from "./perl-values.ts";
import { PropertyStringError, parsePropertyString, printPropertyString } from "./property-string.ts";

/** One network interface of a container. Absent fields are not configured. */
export interface ContainerNetworkInterface {
  /** The N of `netN`, 0 to 31. */
  readonly index: number;
  /** The interface's name inside the container. */
  readonly name: string;
  /** The bridge or VNet that its other end is a port of. */
  readonly bridge?: string;
  readonly hwaddr?: string;
  /** `address/prefix`, `dhcp` or `manual`. */
  readonly ip?: string;
  /** `address/prefix`, `auto`, `dhcp` or `manual`. */
  readonly ip6?: string;
  readonly gw?: string;
  readonly gw6?: string;
  /** VLAN id of untagged traffic, 1 to 4094. */
  readonly tag?: number;
  /** VLAN ids that pass tagged. */
  readonly trunks?: readonly number[];
  readonly firewall?: boolean;
  readonly linkDown?: boolean;
  /** Octets, 64 to 65535. */
  readonly mtu?: number;
  /** Megabytes (2^20 octets) a second, both ways. */
  readonly rate?: number;
  /** The host sets addresses and runs DHCP, nothing inside the container does. */
  readonly hostManaged?: boolean;
}

/** How to read an interface that is not written as Proxmox writes it. */
export interface NetNotation {
  /**
   * `legacy`: an absent `name` is `eth<N>`, and a `name` without a bridge that names a VNet is that VNet.
   * Default: exactly as Proxmox.
   */
  readonly notation?: "legacy" | "proxmox";
  /** The VNets that exist; used with `legacy` only. */
  readonly vnets?: ReadonlySet<string>;
}

/**
 * The properties of a `netN` value by key, numbers and names as given, booleans as `0` or `1`, `type=veth`
 * added. Empty for the values `` and `0`, which Proxmox takes as no interface.
 *
 * @throws {@link PropertyStringError} where the value is not valid
 */
export function parseNet(text: string): Map<string, string> {
  if (!isTrue(text)) return new Map();
  return parsePropertyString(NET_FORMAT, text).set("type", "veth");
}

/**
 * The `netN` value of properties: `name` first, the others in ASCII order.
 *
 * @throws {@link PropertyStringError} where a property is not valid, or `name` is missing
 */
export const printNet = (properties: ReadonlyMap<string, string>): string =>
  printPropertyString(NET_FORMAT, properties);

/**
 * Reads the value of `net<index>`.
 *
 * @throws {@link PropertyStringError} where the value is not valid
 */
export function readInterface(
  index: number,
  text: string,
  options: NetNotation = {},
): ContainerNetworkInterface {
  const given = options.notation === "legacy" ? fromLegacy(index, text, options.vnets ?? new Set()) : text;
  const properties = parseNet(given);
  const name = properties.get("name");
  if (name === undefined) throw new PropertyStringError(text, new Map([["name", "is missing"]]));
  const number = (key: string): number | undefined => mapped(properties.get(key), Number);
  const flag = (key: string): boolean | undefined => mapped(properties.get(key), (value) => value === "1");
  return withoutAbsent({
    index,
    name,
    bridge: properties.get("bridge"),
    hwaddr: properties.get("hwaddr"),
    ip: properties.get("ip"),
    ip6: properties.get("ip6"),
    gw: properties.get("gw"),
    gw6: properties.get("gw6"),
    tag: number("tag"),
    trunks: mapped(properties.get("trunks"), (value) => splitList(value).map(Number)),
    firewall: flag("firewall"),
    linkDown: flag("link_down"),
    mtu: number("mtu"),
    rate: number("rate"),
    hostManaged: flag("host-managed"),
  });
}

/**
 * Writes an interface as Proxmox does.
 *
 * @throws {@link PropertyStringError} where a field is not valid
 */
export function writeInterface(net: ContainerNetworkInterface): string {
  const flag = (value: boolean | undefined): string | undefined => mapped(value, (on) => (on ? "1" : "0"));
  const fields: Record<string, string | undefined> = {
    name: net.name,
    bridge: net.bridge,
    hwaddr: net.hwaddr,
    ip: net.ip,
    ip6: net.ip6,
    gw: net.gw,
    gw6: net.gw6,
    tag: mapped(net.tag, String),
    trunks: mapped(net.trunks, (ids) => ids.join(";")),
    firewall: flag(net.firewall),
    link_down: flag(net.linkDown),
    mtu: mapped(net.mtu, String),
    rate: mapped(net.rate, String),
    "host-managed": flag(net.hostManaged),
    type: "veth",
  };
  const given = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return printNet(new Map(given));
}

function fromLegacy(index: number, text: string, vnets: ReadonlySet<string>): string {
  const parts = text.split(",");
  const find = (key: string): string | undefined =>
    parts.find((part) => part.startsWith(`${key}=`))?.slice(key.length + 1);
  const name = find("name");
  if (name === undefined) return [`name=eth${index}`, ...parts].join(",");
  if (find("bridge") !== undefined || !vnets.has(name)) return text;
  return [`name=eth${index}`, `bridge=${name}`, ...parts.filter((part) => part !== `name=${name}`)].join(",");
}

const mapped = <From, To>(value: From | undefined, map: (value: From) => To): To | undefined =>
  value === undefined ? undefined : map(value);

type Complete<T> = { [Key in keyof T]-?: T[Key] | undefined };

function withoutAbsent<T extends object>(fields: Complete<T>): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
