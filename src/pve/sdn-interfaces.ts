/** `/etc/network/interfaces.d/sdn`: the interfaces that zones, VNets and subnets mean on one node. Pure. */
import { messageOf } from "../host/errors.ts";
import {
  type NodeNetwork,
  property,
  SdnInterfaces,
  type VnetContext,
  type ZoneControllers,
} from "./sdn-zone.ts";
import { generateZone } from "./sdn-zone-types.ts";
import type { Section, SectionConfig } from "./section-config.ts";

/** The running configuration of the software-defined network. */
export interface SdnConfig {
  readonly zones: SectionConfig;
  readonly vnets: SectionConfig;
  readonly subnets: SectionConfig;
  readonly controllers?: SectionConfig;
}

/** The generated file, and what could not be generated. */
export interface GeneratedInterfaces {
  readonly text: string;
  readonly warnings: readonly string[];
}

/**
 * Generates the file for a node. VNets of zones that do not reach the node are passed over; a VNet that cannot
 * be made is left out with a warning.
 *
 * @param version counts the changes of the running configuration
 */
export function generateSdnInterfaces(
  config: SdnConfig,
  node: NodeNetwork,
  version: number,
): GeneratedInterfaces {
  const interfaces = new SdnInterfaces();
  const warnings: string[] = [];
  for (const id of [...config.vnets.sections.keys()].sort()) {
    const vnet = config.vnets.sections.get(id);
    const zoneId = vnet === undefined ? undefined : property(vnet, "zone");
    const zone = zoneId === undefined ? undefined : config.zones.sections.get(zoneId);
    if (vnet === undefined || zoneId === undefined || zone === undefined) {
      warnings.push(`cannot generate VNet '${id}': its zone '${zoneId ?? "(none)"}' does not exist`);
      continue;
    }
    const nodes = zone.properties.get("nodes");
    if (nodes !== undefined && !nodes.includes(node.name)) continue;
    const context: VnetContext = {
      id,
      vnet,
      zoneId,
      zone,
      subnets: subnetsOf(config.subnets, id),
      node,
      warnings,
    };
    try {
      generateZone(context, controllersFor(config, zone), interfaces);
    } catch (reason) {
      warnings.push(`cannot generate VNet '${id}' of zone '${zoneId}': ${messageOf(reason)}`);
    }
  }
  return { text: `#version:${version}\n${interfaces.print()}`, warnings };
}

/** The subnets of a VNet in the order of their ids, which are `zone-address-prefix`. */
function subnetsOf(subnets: SectionConfig, vnetId: string): VnetContext["subnets"] {
  return [...subnets.sections.keys()].sort().flatMap((id) => {
    const subnet = subnets.sections.get(id);
    if (subnet === undefined || property(subnet, "vnet") !== vnetId) return [];
    const [, address = "", prefix = ""] = id.split("-");
    return [{ section: subnet, address, prefix: Number(prefix) }];
  });
}

function controllersFor(config: SdnConfig, zone: Section): ZoneControllers {
  const all = [...(config.controllers?.sections.values() ?? [])].filter((each) => each !== undefined);
  const own = config.controllers?.sections.get(property(zone, "controller") ?? "");
  return own === undefined ? { all } : { own, all };
}
