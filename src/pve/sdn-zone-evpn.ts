/** The interfaces of a VNet in an EVPN zone: a VXLAN bridge in the zone's VRF, routed by BGP. */
import { LxcriError } from "../host/errors.ts";
import { splitList } from "./perl-values.ts";
import {
  gatewayLines,
  type LocalAddress,
  option,
  property,
  type SdnInterfaces,
  setProperty,
  tunnelAddress,
  type VnetContext,
  vxlanId,
  vxlanMtu,
  type ZoneControllers,
} from "./sdn-zone.ts";
import type { Section } from "./section-config.ts";

/** Octets that a VXLAN header takes. */
const VXLAN_OVERHEAD = 50;
/** Behind every real route, so that traffic of the VRF never leaks into the host's own table. */
const LAST_METRIC = 4278198272;

/** Adds the interfaces of one VNet, and those of its zone once. */
export function generateEvpn(
  context: VnetContext,
  interfaces: SdnInterfaces,
  controllers: ZoneControllers,
): void {
  const tag = vxlanId(context);
  const { zone, zoneId, node } = context;
  if (controllers.own === undefined)
    throw new LxcriError("pve-controller-missing", `the controller of zone '${zoneId}' does not exist`);
  const tunnel =
    loopbackAddress(context, controllers.all) ??
    tunnelAddress(node, splitList(property(controllers.own, "peers") ?? ""));
  const mtu = vxlanMtu(context, tunnel);
  const isExit = zone.properties.get("exitnodes")?.includes(node.name) === true;
  const vrf = `vrf_${zoneId}`;
  const tunnelLines = (id: string): (string | undefined)[] => [
    `vxlan-id ${id}`,
    option("vxlan-local-tunnelip", tunnel?.address),
    option("vxlan-port", setProperty(zone, "vxlan-port")),
    "bridge-learning off",
    setProperty(zone, "disable-arp-nd-suppression") === undefined ? "bridge-arp-nd-suppress on" : undefined,
    `mtu ${mtu}`,
  ];
  const gateways = gatewayLines(context, isExit, false);
  interfaces.add(`vxlan_${context.id}`, tunnelLines(tag));
  interfaces.add(context.id, [
    ...gateways.lines,
    option("hwaddress", setProperty(zone, "mac")),
    `bridge_ports vxlan_${context.id}`,
    "bridge_stp off",
    "bridge_fd 0",
    `mtu ${mtu}`,
    option("alias", setProperty(context.vnet, "alias")),
    gateways.forward4 ? "ip-forward on" : undefined,
    gateways.forward6 ? "ip6-forward on" : undefined,
    gateways.hasSubnets ? "arp-accept on" : undefined,
    `vrf ${vrf}`,
  ]);
  const verb = isExit ? "del" : "add";
  interfaces.add(vrf, [
    "vrf-table auto",
    `post-up ip route ${verb} vrf ${vrf} unreachable default metric ${LAST_METRIC}`,
  ]);
  const routedId = setProperty(zone, "vrf-vxlan");
  if (routedId !== undefined) {
    interfaces.add(`vrfvx_${zoneId}`, tunnelLines(routedId));
    interfaces.add(`vrfbr_${zoneId}`, [
      `bridge-ports vrfvx_${zoneId}`,
      "bridge_stp off",
      "bridge_fd 0",
      `mtu ${mtu}`,
      `vrf ${vrf}`,
    ]);
  }
  if (isExit && setProperty(zone, "exitnodes-local-routing") !== undefined)
    addCrossRouting(zoneId, vrf, Number(mtu) + VXLAN_OVERHEAD, interfaces);
}

/** A veth pair between the host's routing table and the VRF. */
function addCrossRouting(zoneId: string, vrf: string, mtu: number, interfaces: SdnInterfaces): void {
  const [outer, inner] = [`xvrf_${zoneId}`, `xvrfp_${zoneId}`];
  interfaces.add(outer, [
    "link-type veth",
    "address 10.255.255.1/30",
    `veth-peer-name ${inner}`,
    `mtu ${mtu}`,
  ]);
  interfaces.add(inner, [
    "link-type veth",
    "address 10.255.255.2/30",
    `veth-peer-name ${outer}`,
    `vrf ${vrf}`,
    `mtu ${mtu}`,
  ]);
}

/** The address of the loopback that this node's BGP or IS-IS controller names. */
function loopbackAddress(context: VnetContext, controllers: readonly Section[]): LocalAddress | undefined {
  for (const type of ["bgp", "isis"]) {
    const own = controllers.find(
      (each) => each.type === type && property(each, "node") === context.node.name,
    );
    const link = own === undefined ? undefined : property(own, "loopback");
    const address = context.node.addresses.find((each) => each.link === link);
    if (address !== undefined) return address;
  }
  return undefined;
}
