/** The interfaces of a VNet in each type of zone. */
import { LxcriError } from "../host/errors.ts";
import { splitList } from "./perl-values.ts";
import {
  gatewayLines,
  option,
  property,
  type SdnInterfaces,
  setProperty,
  tunnelAddress,
  type VnetContext,
  vnetBridge,
  vxlanId,
  vxlanMtu,
  type ZoneControllers,
  zoneBridge,
} from "./sdn-zone.ts";
import { generateEvpn } from "./sdn-zone-evpn.ts";

/**
 * Adds the interfaces of one VNet.
 *
 * @throws {@link LxcriError} where it cannot be made
 */
export function generateZone(
  context: VnetContext,
  controllers: ZoneControllers,
  interfaces: SdnInterfaces,
): void {
  const generate = Object.hasOwn(GENERATORS, context.zone.type) ? GENERATORS[context.zone.type] : undefined;
  if (generate === undefined)
    throw new LxcriError("pve-zone-unsupported", `zones of type '${context.zone.type}' are not supported`);
  generate(context, interfaces, controllers);
}

type Generator = (context: VnetContext, interfaces: SdnInterfaces, controllers: ZoneControllers) => void;

const GENERATORS: Readonly<Record<string, Generator>> = {
  evpn: generateEvpn,
  qinq: generateQinq,
  simple: generateSimple,
  vlan: generateVlan,
  vxlan: generateVxlan,
};

/** An isolated bridge that routes to the host. */
function generateSimple(context: VnetContext, interfaces: SdnInterfaces): void {
  const gateways = gatewayLines(context, true, true);
  interfaces.add(context.id, [
    ...gateways.lines,
    option("hwaddress", setProperty(context.vnet, "mac")),
    ...vnetBridge(context, "none", setProperty(context.zone, "mtu")),
    gateways.forward4 ? "ip-forward on" : undefined,
    gateways.forward6 ? "ip6-forward on" : undefined,
  ]);
}

/** One VLAN of a bridge. */
function generateVlan(context: VnetContext, interfaces: SdnInterfaces): void {
  const { name, bridge } = zoneBridge(context);
  const tag = property(context.vnet, "tag") ?? "";
  const warn = (what: string): void => {
    if (tag === "") context.warnings.push(`VNet '${context.id}' has no tag: ${what} will not work`);
  };
  let uplink = `${name}.${tag}`;
  if (bridge.vlanAware) {
    warn(`port '${uplink}'`);
  } else {
    uplink = `ln_${context.id}`;
    const peer = `pr_${context.id}`;
    interfaces.addPair(uplink, peer);
    const vlanBridge = `${name}v${tag}`;
    warn(`bridge '${vlanBridge}'`);
    const ports = bridge.ports.map((port) => {
      warn(`port '${port}.${tag}'`);
      return ` ${port}.${tag}`;
    });
    interfaces.add(vlanBridge, [`bridge_ports ${ports.join("")} ${peer}`, "bridge_stp off", "bridge_fd 0"]);
  }
  interfaces.add(context.id, vnetBridge(context, uplink, setProperty(context.zone, "mtu")));
}

/** One VLAN inside the zone's own VLAN of a bridge. */
function generateQinq(context: VnetContext, interfaces: SdnInterfaces): void {
  const { name, bridge } = zoneBridge(context);
  const { zoneId, zone } = context;
  const serviceTag = property(zone, "tag") ?? "";
  const protocol = setProperty(zone, "vlan-protocol");
  const mtu = setProperty(zone, "mtu");
  const bridgeName = `z_${zoneId}`;
  const [untagged, untaggedPeer] = [`ln_${zoneId}`, `pr_${zoneId}`];
  let uplink = "";
  if (bridge.vlanAware) {
    uplink = `${name}.${serviceTag}`;
    if (protocol !== undefined) {
      interfaces.add(name, [`bridge-vlan-protocol ${protocol}`]);
      interfaces.add(uplink, [`vlan-protocol ${protocol}`]);
    }
  } else if (bridge.ports[0] !== undefined) {
    uplink = `sv_${zoneId}`;
    interfaces.add(uplink, [
      `vlan-raw-device ${bridge.ports[0]}`,
      `vlan-id ${serviceTag}`,
      option("vlan-protocol", protocol),
    ]);
  }
  interfaces.addPair(untagged, untaggedPeer);
  interfaces.add(bridgeName, [
    option("mtu", mtu),
    "bridge-stp off",
    `bridge-ports ${uplink} ${untagged}`,
    "bridge-fd 0",
    "bridge-vlan-aware yes",
    "bridge-vids 2-4094",
  ]);
  const tag = setProperty(context.vnet, "tag");
  interfaces.add(
    context.id,
    vnetBridge(context, tag === undefined ? untaggedPeer : `${bridgeName}.${tag}`, mtu),
  );
}

/** A VXLAN to all peers. */
function generateVxlan(context: VnetContext, interfaces: SdnInterfaces): void {
  const tag = vxlanId(context);
  const peers = splitList(property(context.zone, "peers") ?? "");
  const tunnel = tunnelAddress(context.node, peers);
  const mtu = vxlanMtu(context, tunnel);
  const link = `vxlan_${context.id}`;
  interfaces.add(link, [
    `vxlan-id ${tag}`,
    ...peers.filter((peer) => peer !== tunnel?.address).map((peer) => `vxlan_remoteip ${peer}`),
    option("vxlan-port", setProperty(context.zone, "vxlan-port")),
    `mtu ${mtu}`,
  ]);
  interfaces.add(context.id, vnetBridge(context, link, mtu));
}
