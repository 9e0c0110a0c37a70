/** The files of Proxmox's software-defined network, `/etc/pve/sdn/*.cfg`, and what each may hold. */
import type { SectionFileSchema } from "./section-config.ts";
import type { Schemas, ValueSchema } from "./value-schema.ts";

const text: ValueSchema = { type: "string" };
const boolean: ValueSchema = { type: "boolean" };
const integer: ValueSchema = { type: "integer" };
const formatted = (format: string): ValueSchema => ({ type: "string", format });
const fingerprint: ValueSchema = { type: "string", pattern: "([A-Fa-f0-9]{2}:){31}[A-Fa-f0-9]{2}" };

/** A type's properties: `*` marks the required ones. */
function properties(list: string): Record<string, boolean> {
  const keys = list.split(" ").filter((key) => key !== "");
  return Object.fromEntries(keys.map((key) => [key.replace("*", ""), key.endsWith("*")]));
}

const ZONE_COMMON = "dns dnszone ipam mtu nodes reversedns";

const ZONE_PROPERTIES: Schemas = {
  "advertise-subnets": boolean,
  bridge: text,
  "bridge-disable-mac-learning": boolean,
  controller: text,
  dhcp: { type: "string", enum: ["dnsmasq"] },
  "disable-arp-nd-suppression": boolean,
  dns: text,
  dnszone: formatted("dns-name"),
  "dp-id": integer,
  exitnodes: formatted("pve-node-list"),
  "exitnodes-local-routing": boolean,
  "exitnodes-primary": formatted("pve-node"),
  fabric: formatted("pve-sdn-fabric-id"),
  ipam: text,
  mac: formatted("mac-addr"),
  mtu: integer,
  nodes: formatted("pve-node-list"),
  peers: formatted("ip-list"),
  reversedns: text,
  "rt-import": formatted("pve-sdn-bgp-rt-list"),
  tag: { type: "integer", minimum: 0 },
  "vlan-protocol": { type: "string", enum: ["802.1q", "802.1ad"] },
  "vrf-vxlan": { type: "integer", minimum: 1, maximum: 16777215 },
  "vxlan-port": { type: "integer", minimum: 1, maximum: 65536 },
};

/** A file of the software-defined network, by its name without `.cfg`. */
export type SdnFile = "controllers" | "dns" | "ipams" | "subnets" | "vnets" | "zones";

/** The schema of each file. */
export const SDN_FILES: Readonly<Record<SdnFile, SectionFileSchema>> = {
  zones: {
    sets: ["exitnodes", "nodes"],
    properties: ZONE_PROPERTIES,
    types: {
      simple: properties(`${ZONE_COMMON} dhcp`),
      vlan: properties(`${ZONE_COMMON} bridge* bridge-disable-mac-learning`),
      qinq: properties(`${ZONE_COMMON} bridge* bridge-disable-mac-learning tag* vlan-protocol`),
      vxlan: properties(`${ZONE_COMMON} fabric peers vxlan-port`),
      evpn: properties(
        `${ZONE_COMMON} advertise-subnets bridge-disable-mac-learning controller* disable-arp-nd-suppression ` +
          "exitnodes exitnodes-local-routing exitnodes-primary mac rt-import vrf-vxlan* vxlan-port",
      ),
      faucet: properties("controller* dns dnszone dp-id* ipam nodes reversedns"),
    },
  },
  vnets: {
    properties: {
      alias: { type: "string", pattern: "(?^i:[\\(\\)-_.\\w\\d\\s]{0,256})", maxLength: 256 },
      "isolate-ports": boolean,
      tag: { type: "integer", minimum: 1, maximum: 16777215 },
      vlanaware: boolean,
      zone: text,
    },
    types: { vnet: properties("alias isolate-ports tag vlanaware zone*") },
  },
  subnets: {
    properties: {
      "dhcp-dns-server": formatted("ip"),
      "dhcp-range": { type: "array", items: formatted("pve-sdn-dhcp-range") },
      dnszoneprefix: formatted("dns-name"),
      gateway: formatted("ip"),
      snat: boolean,
      vnet: text,
    },
    types: { subnet: properties("dhcp-dns-server dhcp-range dnszoneprefix gateway snat vnet*") },
  },
  controllers: {
    properties: {
      asn: { type: "integer", minimum: 0, maximum: 4294967295 },
      "bgp-multipath-as-path-relax": boolean,
      ebgp: boolean,
      "ebgp-multihop": integer,
      fabric: formatted("pve-sdn-fabric-id"),
      "isis-domain": text,
      "isis-ifaces": formatted("pve-iface-list"),
      "isis-net": formatted("pve-sdn-isis-net"),
      loopback: text,
      node: formatted("pve-node"),
      peers: formatted("ip-list"),
    },
    types: {
      bgp: properties("asn* bgp-multipath-as-path-relax ebgp ebgp-multihop loopback node* peers*"),
      evpn: properties("asn* fabric peers"),
      faucet: properties(""),
      isis: properties("isis-domain* isis-ifaces* isis-net* loopback node*"),
    },
  },
  ipams: {
    properties: { fingerprint, section: integer, token: text, url: text },
    types: {
      netbox: properties("fingerprint token* url*"),
      phpipam: properties("fingerprint section* token* url*"),
      pve: properties(""),
    },
  },
  dns: {
    properties: {
      fingerprint,
      key: text,
      reversemaskv6: integer,
      reversev6mask: integer,
      ttl: integer,
      url: text,
    },
    types: { powerdns: properties("fingerprint key* reversemaskv6 reversev6mask ttl url*") },
  },
};
