import { expect, test } from "bun:test";
import { checkSdn } from "./sdn-rules.ts";
import { SDN_FILES, type SdnFile } from "./sdn-schema.ts";
import { parseSections } from "./section-config.ts";

function faults(texts: Partial<Record<SdnFile, string>>): string[] {
  const files = Object.fromEntries(
    Object.entries(texts).map(([file, text]) => [
      file,
      parseSections(SDN_FILES[file as SdnFile], text).config,
    ]),
  );
  return checkSdn(files).map(({ file, section, key, message }) => `${file} ${section} ${key}: ${message}`);
}

const ZONES =
  "simple: s1\n\nvlan: l1\n\tbridge b\n\nvlan: l2\n\tbridge b\n\nqinq: q1\n\tbridge b\n\ttag 5\n\nvxlan: x1\n\tpeers 10.0.0.1\n\n";
const EVPN = "evpn: e1\n\tcontroller c1\n\tvrf-vxlan 9\n\n";
const C1 = "evpn: c1\n\tasn 65000\n\n";

test("a sound network has no faults", () => {
  expect(
    faults({
      zones: ZONES + EVPN,
      controllers: C1,
      vnets:
        "vnet: v1\n\tzone l1\n\ttag 5\n\nvnet: v2\n\tzone l2\n\ttag 5\n\nvnet: v3\n\tzone q1\n\nvnet: v4\n\tzone s1\n",
      subnets:
        "subnet: s1-10.0.0.0-24\n\tvnet v4\n\tgateway 10.0.0.1\n\tdhcp-range start-address=10.0.0.5,end-address=10.0.0.9\n\n" +
        "subnet: s1-10.1.0.1-32\n\tvnet v4\n\tgateway 172.16.0.1\n",
    }),
  ).toEqual([]);
  expect(faults({})).toEqual([]);
});

test("zones name what exists, and do not share a VRF", () => {
  expect(
    faults({
      zones: `simple: toolongid\n\tipam nb\n\tdns pd\n\nqinq: q1\n\tbridge b\n\ttag 0\n\nvxlan: x1\n\n${EVPN}evpn: e2\n\tcontroller b1\n\tvrf-vxlan 9\n\nsimple: ok\n\tipam pve\n\nvlan: bad\n`,
      controllers: `${C1}bgp: b1\n\tnode n\n\tasn 1\n\tpeers 10.0.0.1\n`,
    }),
  ).toEqual([
    "zones toolongid zone: an id has 2 to 8 letters and digits, a letter first",
    "zones toolongid ipam: 'nb' does not exist",
    "zones toolongid dns: 'pd' does not exist",
    "zones q1 tag: must be 1 to 4096",
    "zones x1 peers: either peers or a fabric must be set",
    "zones e2 controller: 'b1' is no evpn controller",
    "zones e2 vrf-vxlan: 9 is that of zone 'e1' already",
  ]);
});

test("VNets have the tags that their zone takes, each once", () => {
  expect(
    faults({
      zones: ZONES + EVPN,
      controllers: C1,
      vnets: [
        "vnet: v1\n\tzone s1\n\ttag 5",
        "vnet: v2\n\tzone l1",
        "vnet: v3\n\tzone l1\n\ttag 4097",
        "vnet: v4\n\tzone l1\n\ttag 7",
        "vnet: v5\n\tzone l1\n\ttag 7",
        "vnet: v6\n\tzone x1\n\ttag 70000",
        "vnet: v7\n\tzone e1\n\ttag 70000\n\tvlanaware 1",
        "vnet: v8\n\tzone nope",
        "vnet: v\n\tzone s1",
      ].join("\n\n"),
    }),
  ).toEqual([
    "vnets v1 tag: a VNet of a simple zone takes no tag",
    "vnets v2 tag: a VNet of a vlan zone needs a tag",
    "vnets v3 tag: must be 1 to 4096",
    "vnets v5 tag: 7 is that of VNet 'v4' already",
    "vnets v7 vlanaware: an evpn zone takes no VLAN-aware VNets",
    "vnets v7 tag: 70000 is that of VNet 'v6' already",
    "vnets v8 zone: 'nope' does not exist",
    "vnets v vnet: an id has 2 to 8 letters and digits, a letter first",
  ]);
});

test("subnets lie in the zone of their VNet, gateways and leases in the subnet", () => {
  const ranges = [
    "10.3.0.5,end-address=10.3.0.9",
    "10.3.0.9,end-address=10.3.0.10",
    "10.3.0.40,end-address=10.3.0.30",
    "10.3.0.1,end-address=10.4.0.1",
    "x,end-address=y",
  ];
  expect(
    faults({
      zones: ZONES,
      vnets: "vnet: v1\n\tzone s1\n\nvnet: v2\n\tzone l1\n\ttag 1\n\tvlanaware 1\n",
      subnets: [
        "subnet: s1-10.0.0.1-24\n\tvnet v1",
        "subnet: s1-10.0.0.0-24\n\tvnet nope",
        "subnet: l1-10.1.0.0-24\n\tvnet v1",
        "subnet: l1-10.2.0.0-24\n\tvnet v2\n\tgateway 10.9.0.1",
        `subnet: s1-10.3.0.0-24\n\tvnet v1\n${ranges.map((range) => `\tdhcp-range start-address=${range}`).join("\n")}`,
      ].join("\n\n"),
    }),
  ).toEqual([
    "subnets s1-10.0.0.1-24 subnet: 's1-10.0.0.1-24' is not zone-network-prefix",
    "subnets s1-10.0.0.0-24 vnet: 'nope' does not exist",
    "subnets l1-10.1.0.0-24 vnet: 'v1' is not in zone 'l1'",
    "subnets l1-10.2.0.0-24 vnet: 'v2' is VLAN-aware and takes no subnets",
    "subnets l1-10.2.0.0-24 gateway: 10.9.0.1 is not in 10.2.0.0/24",
    "subnets s1-10.3.0.0-24 dhcp-range: 'start-address=10.3.0.9,end-address=10.3.0.10' overlaps another range",
    "subnets s1-10.3.0.0-24 dhcp-range: 'start-address=10.3.0.40,end-address=10.3.0.30' ends before it starts",
    "subnets s1-10.3.0.0-24 dhcp-range: 'start-address=10.3.0.1,end-address=10.4.0.1' is not in 10.3.0.0/24",
    "subnets s1-10.3.0.0-24 dhcp-range: 'start-address=x,end-address=y' holds what is no address",
  ]);
});

test("a node has one controller of each routing protocol", () => {
  const bgp = (id: string, node: string): string =>
    `bgp: ${id}\n\tnode ${node}\n\tasn 1\n\tpeers 10.0.0.1\n\n`;
  expect(faults({ controllers: bgp("b1", "n1") + bgp("b2", "n2") + bgp("b3", "n1") })).toEqual([
    "controllers b3 node: 'n1' has the bgp controller 'b1'",
  ]);
});
