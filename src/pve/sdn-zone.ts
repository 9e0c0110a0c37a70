/** What the generators of all zone types share: their input, and the interfaces they add to. */
import { LxcriError } from "../host/errors.ts";
import { isTrue } from "./perl-values.ts";
import type { Section } from "./section-config.ts";

/** An address of the node and the interface that has it. */
export interface LocalAddress {
  readonly address: string;
  readonly link: string;
}

/** A bridge that zones may build on. */
export interface ZoneBridge {
  readonly vlanAware: boolean;
  readonly ports: readonly string[];
}

/** What generation must know of the node. */
export interface NodeNetwork {
  readonly name: string;
  /** Configured addresses, without prefix. */
  readonly addresses: readonly LocalAddress[];
  /** The source address and link of traffic to elsewhere, by family; absent where there is no route. */
  readonly outgoing4?: LocalAddress;
  readonly outgoing6?: LocalAddress;
  /** Configured MTU of a link in octets, where one is. */
  mtu(link: string): number | undefined;
  bridge(name: string): ZoneBridge | undefined;
}

/** One VNet on its way to becoming interfaces. */
export interface VnetContext {
  readonly id: string;
  readonly vnet: Section;
  readonly zoneId: string;
  readonly zone: Section;
  readonly subnets: readonly {
    readonly section: Section;
    readonly address: string;
    readonly prefix: number;
  }[];
  readonly node: NodeNetwork;
  /** Takes one sentence for each thing that is generated and yet will not work. */
  readonly warnings: string[];
}

/** The controllers that a zone may use: its own, and all of the network's. */
export interface ZoneControllers {
  readonly own?: Section;
  readonly all: readonly Section[];
}

/** A property that is a single text. */
export function property(section: Section, key: string): string | undefined {
  const value = section.properties.get(key);
  return typeof value === "string" ? value : undefined;
}

/** A property that Perl holds for true: neither absent nor `0` nor empty. */
export const setProperty = (section: Section, key: string): string | undefined => {
  const value = property(section, key);
  return isTrue(value) ? value : undefined;
};

/** Stanzas by interface name. What is added first stays. */
export class SdnInterfaces {
  private readonly stanzas = new Map<string, readonly string[]>();

  /** Adds an interface with its options, absent ones left out. */
  add(name: string, options: readonly (string | undefined)[]): void {
    if (!this.stanzas.has(name))
      this.stanzas.set(
        name,
        options.filter((option) => option !== undefined),
      );
  }

  /** A veth pair. */
  addPair(one: string, other: string): void {
    this.add(one, ["link-type veth", `veth-peer-name ${other}`]);
    this.add(other, ["link-type veth", `veth-peer-name ${one}`]);
  }

  /** All stanzas in the ASCII order of their names. */
  print(): string {
    return [...this.stanzas.keys()]
      .sort()
      .map((name) => {
        const options = (this.stanzas.get(name) ?? []).map((option) => `\t${option}\n`).join("");
        return `\nauto ${name}\niface ${name}\n${options}`;
      })
      .join("");
  }
}

/** An option with its value, or nothing where there is no value. */
export const option = (name: string, value: string | number | undefined): string | undefined =>
  value === undefined ? undefined : `${name} ${value}`;

/** The lines that make a VNet's bridge out of its ports. */
export function vnetBridge(
  context: VnetContext,
  ports: string,
  mtu: string | number | undefined,
): (string | undefined)[] {
  const vlanAware = setProperty(context.vnet, "vlanaware") !== undefined;
  return [
    `bridge_ports ${ports}`,
    "bridge_stp off",
    "bridge_fd 0",
    ...(vlanAware ? ["bridge-vlan-aware yes", "bridge-vids 2-4094"] : []),
    option("mtu", mtu),
    option("alias", setProperty(context.vnet, "alias")),
  ];
}

/** The bridge that a zone builds on. */
export function zoneBridge(context: VnetContext): { name: string; bridge: ZoneBridge } {
  const name = property(context.zone, "bridge") ?? "";
  const bridge = context.node.bridge(name);
  if (bridge === undefined)
    throw new LxcriError("pve-bridge-missing", `bridge '${name}' of zone '${context.zoneId}' does not exist`);
  return { name, bridge };
}

/** A VNet's VXLAN id. */
export function vxlanId(context: VnetContext): string {
  const tag = setProperty(context.vnet, "tag");
  if (tag === undefined) throw new LxcriError("pve-vnet-without-tag", `VNet '${context.id}' has no tag`);
  return tag;
}

/** The local address of a tunnel: the one among the peers, else the one that reaches the first peer. */
export function tunnelAddress(node: NodeNetwork, peers: readonly string[]): LocalAddress | undefined {
  for (const peer of peers) {
    const own = node.addresses.find(({ address }) => address === peer);
    if (own !== undefined) return own;
  }
  const [first] = peers;
  if (first === undefined) return undefined;
  return first.includes(":") ? node.outgoing6 : node.outgoing4;
}

/** MTU inside a VXLAN: the zone's own, else 50 octets less than that of the tunnel's link, else 1450. */
export function vxlanMtu(context: VnetContext, tunnel: LocalAddress | undefined): string {
  const linkMtu = tunnel === undefined ? undefined : context.node.mtu(tunnel.link);
  return setProperty(context.zone, "mtu") ?? String(linkMtu === undefined ? 1450 : linkMtu - 50);
}

/** Addresses of a VNet's gateways and the rules for its outgoing traffic. */
export interface Gateways {
  readonly lines: readonly string[];
  readonly forward4: boolean;
  readonly forward6: boolean;
  readonly hasSubnets: boolean;
}

/** The lines for a VNet's subnets. `mayTranslate` says whether this node does source NAT for them. */
export function gatewayLines(context: VnetContext, mayTranslate: boolean, pointToPoint: boolean): Gateways {
  const lines: string[] = [];
  const addresses = new Set<string>();
  let forward4 = false;
  let forward6 = false;
  for (const { section, address, prefix } of context.subnets) {
    const cidr = `${address}/${prefix}`;
    const gateway = setProperty(section, "gateway");
    const isV6 = gateway?.includes(":") === true;
    if (gateway !== undefined && !addresses.has(gateway)) lines.push(`address ${gateway}/${prefix}`);
    if (gateway !== undefined) {
      addresses.add(gateway);
      if (isV6) forward6 = true;
      else forward4 = true;
    }
    if (pointToPoint && prefix === 32 && !isV6) lines.push(`up ip route add ${cidr} dev ${context.id}`);
    const outgoing = isV6 ? context.node.outgoing6 : context.node.outgoing4;
    if (setProperty(section, "snat") !== undefined && mayTranslate && outgoing !== undefined)
      lines.push(...translation(isV6 ? "ip6tables" : "iptables", cidr, outgoing));
  }
  return { lines, forward4, forward6, hasSubnets: context.subnets.length > 0 };
}

/** Source NAT for a subnet; guests behind a firewall bridge are tracked apart from the host's own traffic. */
function translation(command: string, cidr: string, outgoing: LocalAddress): string[] {
  const rule = `POSTROUTING -s '${cidr}' -o ${outgoing.link} -j SNAT --to-source ${outgoing.address}`;
  const zone = "PREROUTING -i fwbr+ -j CT --zone 1";
  return [
    `post-up ${command} -t nat -A ${rule}`,
    `post-down ${command} -t nat -D ${rule}`,
    `post-up ${command} -t raw -I ${zone}`,
    `post-down ${command} -t raw -D ${zone}`,
  ];
}
