import { expect, test } from "bun:test";
import { type ContainerNetworkInterface, readInterface, writeInterface } from "./net-interface.ts";
import { netWarnings } from "./net-warnings.ts";
import { PropertyStringError } from "./property-string.ts";

const FULL: ContainerNetworkInterface = {
  index: 3,
  name: "eth0",
  bridge: "vmbr0",
  firewall: true,
  gw: "10.0.0.1",
  gw6: "fe80::1",
  hostManaged: false,
  hwaddr: "BC:24:11:00:00:01",
  ip: "10.0.0.2/24",
  ip6: "auto",
  linkDown: false,
  mtu: 1400,
  rate: 2.5,
  tag: 7,
  trunks: [8, 9],
};

test("every field survives writing and reading, in Proxmox's own form", () => {
  const text = writeInterface(FULL);
  expect(text).toBe(
    "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.0.1,gw6=fe80::1,host-managed=0,hwaddr=BC:24:11:00:00:01," +
      "ip=10.0.0.2/24,ip6=auto,link_down=0,mtu=1400,rate=2.5,tag=7,trunks=8;9,type=veth",
  );
  expect(readInterface(3, text)).toEqual(FULL);
  expect(readInterface(0, "name=a")).toEqual({ index: 0, name: "a" });
});

test("what Proxmox refuses is refused by key", () => {
  const faults = (run: () => unknown): string[] => {
    try {
      run();
    } catch (reason) {
      if (reason instanceof PropertyStringError) return [...reason.faults.keys()];
    }
    return [];
  };
  expect(faults(() => readInterface(0, "bridge=vmbr0"))).toEqual(["name"]);
  expect(faults(() => readInterface(0, ""))).toEqual(["name"]);
  expect(faults(() => writeInterface({ ...FULL, mtu: 10, hwaddr: "x" })).sort()).toEqual(["hwaddr", "mtu"]);
});

test("legacy notation: the name may be absent, or be a VNet's", () => {
  const legacy = { notation: "legacy", vnets: new Set(["blue"]) } as const;
  expect(readInterface(4, "bridge=vmbr0,ip=dhcp", legacy)).toEqual({
    index: 4,
    name: "eth4",
    bridge: "vmbr0",
    ip: "dhcp",
  });
  expect(readInterface(2, "name=blue,tag=5", legacy)).toEqual({
    index: 2,
    name: "eth2",
    bridge: "blue",
    tag: 5,
  });
  expect(readInterface(2, "name=red", legacy)).toEqual({ index: 2, name: "red" });
  expect(readInterface(2, "name=blue,bridge=vmbr0", legacy)).toEqual({
    index: 2,
    name: "blue",
    bridge: "vmbr0",
  });
  expect(readInterface(2, "name=blue")).toEqual({ index: 2, name: "blue" });
  expect(writeInterface(readInterface(2, "name=blue", legacy))).toBe("name=eth2,bridge=blue,type=veth");
});

const codes = (...interfaces: Partial<ContainerNetworkInterface>[]): string[] =>
  netWarnings(interfaces.map((net, index) => ({ index, name: `eth${index}`, ...net }))).map(
    ({ index, code }) => `${index} ${code}`,
  );

test("what Proxmox takes and Linux or routing does not is warned about", () => {
  expect(codes({ name: "a".repeat(15) })).toEqual([]);
  expect(codes({ name: "a".repeat(16) })).toEqual(["0 name-too-long"]);
  expect(codes({ name: "x" }, { name: "x" })).toEqual(["1 duplicate-name"]);
  expect(codes({ hwaddr: "BC:24:11:00:00:0A" }, { hwaddr: "bc:24:11:00:00:0a" })).toEqual([
    "1 duplicate-mac",
  ]);
  expect(codes({ ip: "10.0.0.2/24" }, { ip: "10.0.0.2/16" })).toEqual(["1 duplicate-address"]);
  expect(codes({ ip: "dhcp" }, { ip: "dhcp" })).toEqual([]);
});

test("gateways belong into their subnet, link-local ones anywhere", () => {
  expect(codes({ ip: "10.0.0.2/24", gw: "10.0.0.1" })).toEqual([]);
  expect(codes({ ip: "10.0.0.2/24", gw: "10.0.1.1" })).toEqual(["0 gateway-outside-subnet"]);
  expect(codes({ ip6: "2001:db8::2/64", gw6: "2001:db8:0:0:1::1" })).toEqual([]);
  expect(codes({ ip6: "2001:db8::2/64", gw6: "2001:db8:0:1::1" })).toEqual(["0 gateway-outside-subnet"]);
  expect(codes({ ip6: "2001:db8::2/64", gw6: "fe80::1" })).toEqual([]);
  expect(codes({ ip6: "::ffff:10.0.0.2/120", gw6: "::ffff:10.0.0.1" })).toEqual([]);
  expect(codes({ gw: "10.0.0.1" })).toEqual(["0 gateway-without-address"]);
  expect(codes({ ip: "manual", gw: "10.0.0.1" })).toEqual(["0 gateway-without-address"]);
  expect(codes({ ip: "dhcp", gw: "10.0.0.1" })).toEqual([]);
  expect(codes({ ip: "10.0.0.2/24", gw: "::1" })).toEqual(["0 gateway-outside-subnet"]);
});
