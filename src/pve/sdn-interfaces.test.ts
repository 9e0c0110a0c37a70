import { describe, expect, test } from "bun:test";
import { generateSdnInterfaces } from "./sdn-interfaces.ts";
import { SDN_FILES, type SdnFile } from "./sdn-schema.ts";
import type { NodeNetwork } from "./sdn-zone.ts";
import { parseSections } from "./section-config.ts";

const NODE: NodeNetwork = {
  name: "n1",
  addresses: [
    { address: "10.0.0.1", link: "vmbr0" },
    { address: "10.9.9.1", link: "dummy1" },
  ],
  outgoing4: { address: "10.0.0.1", link: "vmbr0" },
  outgoing6: { address: "fd00::1", link: "vmbr0" },
  mtu: (link) => (link === "vmbr0" ? 9000 : undefined),
  bridge: (name) =>
    ({ vmbr0: { vlanAware: true, ports: ["eth0"] }, vmbr1: { vlanAware: false, ports: ["eth1", "eth2"] } })[
      name
    ],
};

function generate(texts: Partial<Record<SdnFile, string>>): {
  stanzas: Record<string, string[]>;
  warnings: readonly string[];
} {
  const read = (file: SdnFile) => parseSections(SDN_FILES[file], texts[file] ?? "").config;
  const config = {
    zones: read("zones"),
    vnets: read("vnets"),
    subnets: read("subnets"),
    controllers: read("controllers"),
  };
  const { text, warnings } = generateSdnInterfaces(config, NODE, 7);
  expect(text.startsWith("#version:7\n")).toBe(true);
  const stanzas = text
    .split("\nauto ")
    .slice(1)
    .map((stanza): [string, string[]] => {
      const [name = "", , ...options] = stanza.trimEnd().split("\n");
      return [name, options.map((option) => option.trim())];
    });
  return { stanzas: Object.fromEntries(stanzas), warnings };
}

test("VNets without a zone, of other nodes' zones or on missing bridges are left out", () => {
  const { stanzas, warnings } = generate({
    zones: "simple: z1\n\tnodes n2\n\nvlan: z2\n\tbridge nope\n\nfaucet: z3\n\tcontroller c\n\tdp-id 1\n",
    vnets: "vnet: v1\n\tzone z1\n\nvnet: v2\n\tzone z2\n\nvnet: v3\n\tzone z3\n\nvnet: v4\n\tzone z9\n",
  });
  expect(stanzas).toEqual({});
  expect(warnings).toHaveLength(3);
});

test("a simple zone routes IPv6 and translates by its own command", () => {
  const { stanzas } = generate({
    zones: "simple: z1\n",
    vnets: "vnet: v1\n\tzone z1\n",
    subnets:
      "subnet: z1-fd01::-64\n\tvnet v1\n\tgateway fd01::1\n\tsnat 1\n\nsubnet: z1-10.1.1.1-32\n\tvnet v1\n\tgateway 10.1.1.1\n",
  });
  expect(stanzas.v1).toEqual([
    "address 10.1.1.1/32",
    "up ip route add 10.1.1.1/32 dev v1",
    "address fd01::1/64",
    "post-up ip6tables -t nat -A POSTROUTING -s 'fd01::/64' -o vmbr0 -j SNAT --to-source fd00::1",
    "post-down ip6tables -t nat -D POSTROUTING -s 'fd01::/64' -o vmbr0 -j SNAT --to-source fd00::1",
    "post-up ip6tables -t raw -I PREROUTING -i fwbr+ -j CT --zone 1",
    "post-down ip6tables -t raw -D PREROUTING -i fwbr+ -j CT --zone 1",
    "bridge_ports none",
    "bridge_stp off",
    "bridge_fd 0",
    "ip-forward on",
    "ip6-forward on",
  ]);
});

test("a VLAN of a plain bridge has a bridge of its own over all ports; without a tag it is warned about", () => {
  const { stanzas, warnings } = generate({
    zones: "vlan: z1\n\tbridge vmbr1\n",
    vnets: "vnet: v1\n\tzone z1\n\ttag 5\n\nvnet: v2\n\tzone z1\n",
  });
  expect(stanzas.vmbr1v5?.[0]).toBe("bridge_ports  eth1.5 eth2.5 pr_v1");
  expect(warnings).toHaveLength(3);
});

test("a QinQ VNet without a tag uses the zone's untagged pair", () => {
  const { stanzas } = generate({
    zones: "qinq: z1\n\tbridge vmbr0\n\ttag 9\n\tvlan-protocol 802.1ad\n",
    vnets: "vnet: v1\n\tzone z1\n",
  });
  expect(stanzas.v1?.[0]).toBe("bridge_ports pr_z1");
  expect(stanzas.vmbr0).toEqual(["bridge-vlan-protocol 802.1ad"]);
});

test("a VXLAN leaves 50 octets of its link's MTU, and reaches remote peers only", () => {
  const { stanzas, warnings } = generate({
    zones: "vxlan: z1\n\tpeers 10.0.0.2,10.0.0.1\n\nvxlan: z2\n\tpeers fd00::9\n",
    vnets: "vnet: v1\n\tzone z1\n\ttag 5\n\nvnet: v2\n\tzone z1\n\nvnet: v3\n\tzone z2\n\ttag 6\n",
  });
  expect(stanzas.vxlan_v1).toEqual(["vxlan-id 5", "vxlan_remoteip 10.0.0.2", "mtu 8950"]);
  expect(stanzas.vxlan_v3).toEqual(["vxlan-id 6", "vxlan_remoteip fd00::9", "mtu 8950"]);
  expect(warnings).toEqual(["cannot generate VNet 'v2' of zone 'z1': VNet 'v2' has no tag"]);
});

describe("an EVPN zone", () => {
  const zone = (more = ""): string =>
    `evpn: z1\n\tcontroller c1\n\tvrf-vxlan 100\n\tmac BC:24:11:00:00:01\n${more}`;
  const rest = {
    vnets: "vnet: v1\n\tzone z1\n\ttag 5\n\talias lan\n",
    subnets: "subnet: z1-10.2.0.0-24\n\tvnet v1\n\tgateway 10.2.0.1\n\tsnat 1\n",
    controllers: "evpn: c1\n\tasn 65000\n\tpeers 10.0.0.1,10.0.0.2\n",
  };

  test("is a VXLAN bridge in a VRF", () => {
    const { stanzas } = generate({ ...rest, zones: zone() });
    expect(stanzas).toEqual({
      v1: [
        "address 10.2.0.1/24",
        "hwaddress BC:24:11:00:00:01",
        "bridge_ports vxlan_v1",
        "bridge_stp off",
        "bridge_fd 0",
        "mtu 8950",
        "alias lan",
        "ip-forward on",
        "arp-accept on",
        "vrf vrf_z1",
      ],
      vrf_z1: ["vrf-table auto", "post-up ip route add vrf vrf_z1 unreachable default metric 4278198272"],
      vrfbr_z1: ["bridge-ports vrfvx_z1", "bridge_stp off", "bridge_fd 0", "mtu 8950", "vrf vrf_z1"],
      vrfvx_z1: [
        "vxlan-id 100",
        "vxlan-local-tunnelip 10.0.0.1",
        "bridge-learning off",
        "bridge-arp-nd-suppress on",
        "mtu 8950",
      ],
      vxlan_v1: [
        "vxlan-id 5",
        "vxlan-local-tunnelip 10.0.0.1",
        "bridge-learning off",
        "bridge-arp-nd-suppress on",
        "mtu 8950",
      ],
    });
  });

  test("has translation and a way into the host's own table on exit nodes", () => {
    const { stanzas } = generate({
      ...rest,
      zones: zone(
        "\texitnodes n1\n\texitnodes-local-routing 1\n\tdisable-arp-nd-suppression 1\n\tmtu 1450\n",
      ),
      subnets: `${rest.subnets}\nsubnet: z1-fd02::-64\n\tvnet v1\n\tgateway fd02::1\n`,
    });
    expect(stanzas.vrf_z1?.[1]).toContain("ip route del vrf vrf_z1");
    expect(stanzas.xvrf_z1).toEqual([
      "link-type veth",
      "address 10.255.255.1/30",
      "veth-peer-name xvrfp_z1",
      "mtu 1500",
    ]);
    expect(stanzas.xvrfp_z1).toContain("vrf vrf_z1");
    expect(stanzas.v1?.[1]).toContain("--to-source 10.0.0.1");
    expect(stanzas.v1).toContain("ip6-forward on");
    expect(stanzas.vxlan_v1).not.toContain("bridge-arp-nd-suppress on");
  });

  test("tunnels from the loopback that this node's BGP controller names", () => {
    const controllers = `${rest.controllers}\nbgp: b1\n\tnode n1\n\tasn 65001\n\tpeers 10.0.0.2\n\tloopback dummy1\n`;
    const { stanzas } = generate({ ...rest, zones: zone("\tvxlan-port 4790\n"), controllers });
    expect(stanzas.vxlan_v1?.slice(0, 3)).toEqual([
      "vxlan-id 5",
      "vxlan-local-tunnelip 10.9.9.1",
      "vxlan-port 4790",
    ]);
  });

  test("needs its controller", () => {
    const { warnings } = generate({ ...rest, controllers: "", zones: zone() });
    expect(warnings[0]).toContain("the controller of zone 'z1' does not exist");
  });
});
