/** Plans what adding, changing or removing a network interface of a running container takes. Pure. */
import { LxcriError } from "../host/errors.ts";
import { isAddressInside } from "./address-bits.ts";
import type { AddressFamily, HotplugStep, PortVlans } from "./hotplug-steps.ts";
import { isTrue } from "./perl-values.ts";

/** A bridge of the node. */
export interface BridgeState {
  /** Octets. */
  readonly mtu: number;
  readonly vlanAware: boolean;
  /** The physical ports through which VLANs of a bridge that is not VLAN-aware pass. */
  readonly ports: readonly string[];
}

/** What planning must know of the node. */
export interface HotplugNode {
  /** Undefined where there is no such bridge or VNet. */
  bridge(name: string): BridgeState | undefined;
  /** True where the nftables firewall is on, which needs no bridge of its own between container and bridge. */
  readonly nftables: boolean;
}

/** Properties of a `netN` value, as `parseNet` gives them. */
export type NetProperties = ReadonlyMap<string, string>;

const MIB = 2 ** 20;

/** Plans for one interface: `net<index>` of container `vmid`. */
export class NicPlanner {
  private readonly link: string;
  private readonly peer: string;
  private readonly firewallBridge: string;
  private readonly firewallLink: string;
  private readonly firewallPeer: string;

  constructor(
    private readonly node: HotplugNode,
    vmid: number,
    private readonly index: number,
  ) {
    this.link = `veth${vmid}i${index}`;
    this.peer = `${this.link}p`;
    this.firewallBridge = `fwbr${vmid}i${index}`;
    this.firewallLink = `fwln${vmid}i${index}`;
    this.firewallPeer = `fwpr${vmid}p${index}`;
  }

  /**
   * The steps from one state to another; `from` is absent where the interface is new.
   *
   * @throws {@link LxcriError} where the bridge does not exist or cannot do what is asked
   */
  change(from: NetProperties | undefined, to: NetProperties): HotplugStep[] {
    if (from === undefined) return [...this.add(to), ...this.readdress(new Map(), to)];
    if (from.get("hwaddr") !== to.get("hwaddr") || from.get("name") !== to.get("name")) {
      const added = this.add(to);
      return [...this.remove(from), ...added, ...this.readdress(new Map(), to)];
    }
    return [...this.rewire(from, to), ...this.readdress(from, to)];
  }

  /** The steps that take the interface away. */
  remove(net: NetProperties): HotplugStep[] {
    const steps: HotplugStep[] = [];
    if (net.get("host-managed") === "1") steps.push(...this.stopDhcp(net));
    steps.push({ do: "delete-link", link: this.link }, ...this.deleteFirewallLinks(net));
    return steps;
  }

  private add(net: NetProperties): HotplugStep[] {
    const { bridge } = this.bridgeOf(net);
    const hwaddr = net.get("hwaddr");
    const name = net.get("name") ?? "";
    const peerMtu = isTrue(net.get("mtu")) ? Number(net.get("mtu")) : bridge.mtu;
    const create = { do: "create-veth", link: this.link, peer: this.peer, mtu: bridge.mtu, peerMtu } as const;
    return [
      hwaddr === undefined ? create : { ...create, hwaddr },
      ...this.plug(net),
      { do: "move-into-container", peer: this.peer, name },
      { do: "guest-link-up", name },
    ];
  }

  /** What changes outside the container: bridge, VLANs, firewall, link state, rate; and the MTU inside. */
  private rewire(from: NetProperties, to: NetProperties): HotplugStep[] {
    const steps: HotplugStep[] = [];
    const replugged =
      from.get("bridge") !== to.get("bridge") ||
      differsAsNumber(from.get("tag"), to.get("tag")) ||
      differsAsNumber(from.get("firewall"), to.get("firewall")) ||
      isTrue(from.get("link_down")) !== isTrue(to.get("link_down"));
    if (replugged) {
      const plug = this.plug(to);
      if (isTrue(from.get("bridge"))) {
        steps.push({ do: "remove-port", link: this.link }, ...this.deleteFirewallLinks(from));
      }
      steps.push(...plug);
    } else if (!isTrue(to.get("link_down"))) {
      if (from.get("trunks") !== to.get("trunks")) steps.push(this.setVlans(to));
      if (from.get("rate") !== to.get("rate")) steps.push(limitRate(this.link, to.get("rate")));
    }
    if (differsAsNumber(from.get("mtu"), to.get("mtu"))) {
      const mtu = isTrue(to.get("mtu")) ? Number(to.get("mtu")) : this.bridgeOf(to).bridge.mtu;
      steps.push({ do: "guest-mtu", name: to.get("name") ?? "", mtu });
    }
    return steps;
  }

  /** Makes the host's end a port of its bridge, or takes its link down where it is to be disconnected. */
  private plug(net: NetProperties): HotplugStep[] {
    if (isTrue(net.get("link_down"))) return [{ do: "link-down", link: this.link }];
    const { name, bridge } = this.bridgeOf(net);
    const steps: HotplugStep[] = [];
    let target = name;
    let vlans: PortVlans | undefined;
    if (bridge.vlanAware) vlans = portVlans(net);
    else target = this.planVlanBridge(net, name, bridge, steps);
    if (isTrue(net.get("firewall")) && !this.node.nftables) {
      const { mtu } = bridge;
      const inner = {
        do: "create-veth",
        link: this.firewallLink,
        peer: this.firewallPeer,
        mtu,
        peerMtu: mtu,
      } as const;
      steps.push({ do: "create-bridge", bridge: this.firewallBridge, mtu }, inner);
      steps.push(addPort(this.firewallPeer, target, mtu, vlans));
      steps.push(addPort(this.firewallLink, this.firewallBridge, mtu, undefined));
      steps.push(addPort(this.link, this.firewallBridge, mtu, undefined));
    } else {
      steps.push(addPort(this.link, target, bridge.mtu, vlans));
    }
    steps.push(limitRate(this.link, net.get("rate")), { do: "link-up", link: this.link });
    return steps;
  }

  /** A bridge that is not VLAN-aware has one bridge more for each VLAN. Returns the bridge to use. */
  private planVlanBridge(
    net: NetProperties,
    name: string,
    bridge: BridgeState,
    steps: HotplugStep[],
  ): string {
    if (net.has("trunks"))
      throw new LxcriError(
        "pve-bridge-not-vlan-aware",
        `cannot plug net${this.index}: bridge ${name} is not VLAN-aware, so it takes no trunks`,
        {
          fix: `Set bridge-vlan-aware on ${name}, or remove trunks.`,
        },
      );
    const tag = net.get("tag");
    if (tag === undefined) return name;
    const vlanBridge = `${name}v${Number(tag)}`;
    if (bridge.ports.length === 0)
      throw new LxcriError(
        "pve-bridge-without-port",
        `cannot plug net${this.index}: bridge ${name} has no physical port for VLAN ${tag}`,
      );
    for (const parent of bridge.ports)
      steps.push({ do: "create-vlan-bridge", bridge: vlanBridge, mtu: bridge.mtu, parent, tag: Number(tag) });
    return vlanBridge;
  }

  private setVlans(net: NetProperties): HotplugStep {
    const { name, bridge } = this.bridgeOf(net);
    if (!bridge.vlanAware) this.planVlanBridge(net, name, bridge, []);
    const viaFirewall = isTrue(net.get("firewall")) && !this.node.nftables;
    return { do: "set-vlans", link: viaFirewall ? this.firewallPeer : this.link, vlans: portVlans(net) };
  }

  private deleteFirewallLinks(net: NetProperties): HotplugStep[] {
    if (!isTrue(net.get("firewall")) || isTrue(net.get("link_down")) || this.node.nftables) return [];
    return [
      { do: "delete-link", link: this.firewallLink },
      { do: "delete-link", link: this.firewallBridge },
    ];
  }

  private bridgeOf(net: NetProperties): { name: string; bridge: BridgeState } {
    const name = net.get("bridge");
    const bridge = name === undefined ? undefined : this.node.bridge(name);
    if (name === undefined || bridge === undefined)
      throw new LxcriError(
        "pve-bridge-missing",
        `cannot plug net${this.index}: bridge ${name ?? "(none)"} does not exist on this node`,
      );
    return { name, bridge };
  }

  private stopDhcp(net: NetProperties): HotplugStep[] {
    const name = net.get("name") ?? "";
    return families
      .filter(({ ip }) => net.get(ip) === "dhcp")
      .map(({ family }) => ({ do: "dhcp-stop", family, name }));
  }

  /** What changes inside the container: addresses, default routes, DHCP. */
  private readdress(from: NetProperties, to: NetProperties): HotplugStep[] {
    const steps = families.flatMap(({ family, ip, gw }) => {
      const isSame = from.get(ip) === to.get(ip) && from.get(gw) === to.get(gw);
      if (isSame && !changesManager(from, to)) return [];
      const changes = readdressFamily(from, to, family, ip, gw);
      return isSame && changes.length === 0 ? [] : [...changes, { do: "rewrite-guest-network" } as const];
    });
    // Who manages the addresses has changed: the guest's files must say so even where no address does.
    if (steps.length === 0 && changesManager(from, to)) return [{ do: "rewrite-guest-network" }];
    return steps;
  }
}

const families: readonly { family: AddressFamily; ip: string; gw: string }[] = [
  { family: 4, ip: "ip", gw: "gw" },
  { family: 6, ip: "ip6", gw: "gw6" },
];

function readdressFamily(
  from: NetProperties,
  to: NetProperties,
  family: AddressFamily,
  ip: string,
  gw: string,
): HotplugStep[] {
  const name = to.get("name") ?? "";
  const [oldIp, newIp, oldGateway, newGateway] = [from.get(ip), to.get(ip), from.get(gw), to.get(gw)];
  const steps: HotplugStep[] = [];
  const runsDhcp = (net: NetProperties): boolean => net.get("host-managed") === "1" && net.get(ip) === "dhcp";
  if (runsDhcp(from) && !runsDhcp(to)) steps.push({ do: "dhcp-stop", family, name });
  const changesAddress = oldIp !== newIp;
  if (changesAddress && isStatic(newIp)) steps.push({ do: "add-address", family, name, address: newIp });
  if (runsDhcp(to) && !runsDhcp(from)) steps.push({ do: "dhcp-start", family, name });
  if (oldGateway !== newGateway) {
    if (isTrue(newGateway)) {
      if (isStatic(newIp) && !isAddressInside(newGateway, newIp))
        steps.push({ do: "add-host-route", family, name, to: newGateway });
      steps.push({ do: "set-default-route", family, gateway: newGateway });
    } else {
      steps.push({ do: "delete-default-route", family });
    }
    if (isTrue(oldGateway) && isStatic(oldIp) && !isAddressInside(oldGateway, oldIp))
      steps.push({ do: "delete-host-route", family, name, to: oldGateway });
  }
  if (changesAddress && isStatic(oldIp)) steps.push({ do: "delete-address", family, name, address: oldIp });
  return steps;
}

const changesManager = (from: NetProperties, to: NetProperties): boolean =>
  from.size > 0 && isTrue(from.get("host-managed")) !== isTrue(to.get("host-managed"));

const isStatic = (address: string | undefined): address is string => address?.includes("/") === true;

const differsAsNumber = (a: string | undefined, b: string | undefined): boolean =>
  a === undefined || b === undefined ? a !== b : Number(a) !== Number(b);

function portVlans(net: NetProperties): PortVlans {
  const tag = net.get("tag");
  const trunks = isTrue(net.get("trunks")) ? (net.get("trunks") ?? "").split(";").map(Number) : [];
  return tag === undefined ? { trunks } : { tag: Number(tag), trunks };
}

function addPort(link: string, bridge: string, mtu: number, vlans: PortVlans | undefined): HotplugStep {
  const step = { do: "add-port", link, bridge, mtu } as const;
  return vlans === undefined ? step : { ...step, vlans };
}

function limitRate(link: string, rate: string | undefined): HotplugStep {
  const megabytes = Number(rate ?? "0");
  if (!(megabytes > 0)) return { do: "limit-rate", link };
  return { do: "limit-rate", link, bytesPerSecond: Math.trunc(megabytes * MIB) };
}
