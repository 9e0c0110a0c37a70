/** What Proxmox demands of the software-defined network's files together, beyond the form of each. Pure. */
import { addressBits, isAddressInside, isNetworkAddress } from "./address-bits.ts";
import { namedPropertyFormat, readPropertyString } from "./property-string.ts";
import { isShortSdnId, isSubnetId } from "./sdn-formats.ts";
import type { SdnFile } from "./sdn-schema.ts";
import { property, setProperty } from "./sdn-zone.ts";
import type { Section, SectionConfig } from "./section-config.ts";

/** All files that refer to each other. An absent file is empty. */
export type SdnFiles = Readonly<Partial<Record<SdnFile, SectionConfig>>>;

/** A rule that a property of a section breaks. */
export interface SdnFault {
  readonly file: SdnFile;
  readonly section: string;
  readonly key: string;
  readonly message: string;
}

/** The largest tag that each type of zone takes; zones that take none are absent. */
const LARGEST_TAG: Readonly<Record<string, number>> = {
  evpn: 16777215,
  qinq: 4096,
  vlan: 4096,
  vxlan: 16777215,
};
const TAG_REQUIRED = new Set(["evpn", "vlan", "vxlan"]);
/** Zones whose VNets share one space of tags over the whole network. */
const GLOBAL_TAGS = new Set(["evpn", "vxlan"]);

/** Checks all files against each other. Sections that lack a required property are passed over. */
export function checkSdn(files: SdnFiles): SdnFault[] {
  const faults: SdnFault[] = [];
  const report = (file: SdnFile, section: string, key: string, message: string): void => {
    faults.push({ file, section, key, message });
  };
  checkZones(files, report);
  checkVnets(files, report);
  checkSubnets(files, report);
  checkControllers(files, report);
  return faults;
}

type Report = (file: SdnFile, section: string, key: string, message: string) => void;

function sectionsOf(files: SdnFiles, file: SdnFile): [id: string, section: Section][] {
  return [...(files[file]?.sections ?? [])].flatMap(([id, section]) =>
    section === undefined ? [] : [[id, section]],
  );
}

const find = (files: SdnFiles, file: SdnFile, id: string | undefined): Section | undefined =>
  id === undefined ? undefined : files[file]?.sections.get(id);

function checkZones(files: SdnFiles, report: Report): void {
  const vrfs = new Map<string, string>();
  for (const [id, zone] of sectionsOf(files, "zones")) {
    if (!isShortSdnId(id)) report("zones", id, "zone", "an id has 2 to 8 letters and digits, a letter first");
    for (const [key, file] of [
      ["ipam", "ipams"],
      ["dns", "dns"],
      ["reversedns", "dns"],
    ] as const) {
      const name = setProperty(zone, key);
      const isBuiltIn = file === "ipams" && name === "pve";
      if (name !== undefined && !isBuiltIn && find(files, file, name) === undefined)
        report("zones", id, key, `'${name}' does not exist`);
    }
    if (zone.type === "qinq" && !isTag(property(zone, "tag"), 4096))
      report("zones", id, "tag", "must be 1 to 4096");
    if (zone.type === "vxlan" && !zone.properties.has("peers") && !zone.properties.has("fabric"))
      report("zones", id, "peers", "either peers or a fabric must be set");
    if (zone.type !== "evpn") continue;
    const controller = property(zone, "controller") ?? "";
    if (find(files, "controllers", controller)?.type !== "evpn")
      report("zones", id, "controller", `'${controller}' is no evpn controller`);
    const vrf = property(zone, "vrf-vxlan") ?? "";
    const other = vrfs.get(vrf);
    if (other !== undefined) report("zones", id, "vrf-vxlan", `${vrf} is that of zone '${other}' already`);
    vrfs.set(vrf, id);
  }
}

const isTag = (tag: string | undefined, largest: number): boolean =>
  tag !== undefined && Number(tag) >= 1 && Number(tag) <= largest;

function checkVnets(files: SdnFiles, report: Report): void {
  const tags = new Map<string, string>();
  for (const [id, vnet] of sectionsOf(files, "vnets")) {
    const fail = (key: string, message: string): void => report("vnets", id, key, message);
    if (!isShortSdnId(id)) fail("vnet", "an id has 2 to 8 letters and digits, a letter first");
    const zoneId = property(vnet, "zone") ?? "";
    const type = find(files, "zones", zoneId)?.type;
    if (type === undefined) {
      fail("zone", `'${zoneId}' does not exist`);
      continue;
    }
    if (type === "evpn" && setProperty(vnet, "vlanaware") !== undefined)
      fail("vlanaware", "an evpn zone takes no VLAN-aware VNets");
    const tag = property(vnet, "tag");
    const largest = LARGEST_TAG[type];
    if (tag === undefined) {
      if (TAG_REQUIRED.has(type)) fail("tag", `a VNet of a ${type} zone needs a tag`);
      continue;
    }
    if (largest === undefined) fail("tag", `a VNet of a ${type} zone takes no tag`);
    else if (!isTag(tag, largest)) fail("tag", `must be 1 to ${largest}`);
    const space = `${GLOBAL_TAGS.has(type) ? "" : zoneId}/${Number(tag)}`;
    const other = tags.get(space);
    if (other !== undefined) fail("tag", `${tag} is that of VNet '${other}' already`);
    tags.set(space, id);
  }
}

function checkSubnets(files: SdnFiles, report: Report): void {
  for (const [id, subnet] of sectionsOf(files, "subnets")) {
    const fail = (key: string, message: string): void => report("subnets", id, key, message);
    const [zoneId = "", address = "", prefix = ""] = id.split("-");
    const cidr = `${address}/${prefix}`;
    if (!isSubnetId(id) || !isNetworkAddress(cidr)) {
      fail("subnet", `'${id}' is not zone-network-prefix`);
      continue;
    }
    const vnetId = property(subnet, "vnet") ?? "";
    const vnet = find(files, "vnets", vnetId);
    if (vnet === undefined) fail("vnet", `'${vnetId}' does not exist`);
    else if (property(vnet, "zone") !== zoneId) fail("vnet", `'${vnetId}' is not in zone '${zoneId}'`);
    else if (setProperty(vnet, "vlanaware") !== undefined)
      fail("vnet", `'${vnetId}' is VLAN-aware and takes no subnets`);
    const gateway = setProperty(subnet, "gateway");
    const isPointToPoint = prefix === "32" && !address.includes(":");
    if (gateway !== undefined && !isPointToPoint && !isAddressInside(gateway, cidr))
      fail("gateway", `${gateway} is not in ${cidr}`);
    for (const message of rangeFaults(subnet, cidr)) fail("dhcp-range", message);
  }
}

/** Ranges of addresses to lease: within the subnet, ascending, apart from each other. */
function rangeFaults(subnet: Section, cidr: string): string[] {
  const taken: [first: bigint, last: bigint][] = [];
  const format = namedPropertyFormat("pve-sdn-dhcp-range") ?? {};
  return [subnet.properties.get("dhcp-range") ?? []].flat().flatMap((text) => {
    const { values } = readPropertyString(format, text);
    const [start = "", end = ""] = [values.get("start-address"), values.get("end-address")];
    const [first, last] = [addressBits(start)?.value, addressBits(end)?.value];
    if (first === undefined || last === undefined) return [`'${text}' holds what is no address`];
    if (!isAddressInside(start, cidr) || !isAddressInside(end, cidr)) return [`'${text}' is not in ${cidr}`];
    if (first > last) return [`'${text}' ends before it starts`];
    const overlaps = taken.some(([from, to]) => first <= to && last >= from);
    taken.push([first, last]);
    return overlaps ? [`'${text}' overlaps another range`] : [];
  });
}

/** BGP and IS-IS: one controller of each a node. */
function checkControllers(files: SdnFiles, report: Report): void {
  const seen = new Map<string, string>();
  for (const [id, controller] of sectionsOf(files, "controllers")) {
    const node = property(controller, "node");
    if (node === undefined) continue;
    const other = seen.get(`${controller.type} ${node}`);
    if (other !== undefined)
      report("controllers", id, "node", `'${node}' has the ${controller.type} controller '${other}'`);
    seen.set(`${controller.type} ${node}`, id);
  }
}
