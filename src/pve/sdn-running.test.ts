import { expect, test } from "bun:test";
import { LxcriError } from "../host/errors.ts";
import { parseRunningSdn, pendingSdn, writeRunningSdn } from "./sdn-running.ts";
import { SDN_FILES } from "./sdn-schema.ts";
import { parseSections } from "./section-config.ts";

const zones = (text: string) => ({ zones: parseSections(SDN_FILES.zones, text).config });

test("what is applied is read back as it was, and differs in nothing", () => {
  const subnets = parseSections(
    SDN_FILES.subnets,
    "subnet: z1-10.0.0.0-24\n\tvnet v1\n\tsnat 1\n\tdhcp-range start-address=10.0.0.1,end-address=10.0.0.2\n",
  ).config;
  const files = {
    ...zones("vlan: z1\n\tbridge b\n\tmtu 1400\n\tnodes n2,n1\n\nvlan: incomplete\n"),
    subnets,
  };
  const text = writeRunningSdn({ version: 3, files });
  expect(JSON.parse(text)).toMatchObject({
    version: 3,
    zones: { ids: { z1: { type: "vlan", bridge: "b", mtu: 1400, nodes: { n1: 1, n2: 1 } } } },
    subnets: {
      ids: { "z1-10.0.0.0-24": { snat: 1, "dhcp-range": ["start-address=10.0.0.1,end-address=10.0.0.2"] } },
    },
    controllers: { ids: {} },
  });
  const running = parseRunningSdn(text);
  expect(running.version).toBe(3);
  expect(pendingSdn(files, running)).toEqual([]);
});

test("sections are new, changed or deleted, by the keys that differ", () => {
  const running = parseRunningSdn(
    '{"version":1,"zones":{"ids":{"a":{"type":"simple","mtu":1400,"ipam":"pve"},"b":{"type":"simple"},"c":{"type":"simple"}}}}',
  );
  expect(
    pendingSdn(
      zones("simple: a\n\tmtu 1500\n\tdns d\n\nvlan: c\n\tbridge x\n\nsimple: n\n\tmtu 1\n"),
      running,
    ),
  ).toEqual([
    { file: "zones", section: "a", state: "changed", keys: ["dns", "ipam", "mtu"] },
    { file: "zones", section: "b", state: "deleted", keys: [] },
    { file: "zones", section: "c", state: "changed", keys: ["bridge", "type"] },
    { file: "zones", section: "n", state: "new", keys: ["mtu"] },
  ]);
});

test("nothing was ever applied, or JSON booleans were", () => {
  expect(parseRunningSdn("\n")).toEqual({ version: 0, files: {} });
  const running = parseRunningSdn(
    '{"vnets":{"ids":{"v":{"type":"vnet","vlanaware":true,"isolate-ports":false}}}}',
  );
  expect(Object.fromEntries(running.files.vnets?.sections.get("v")?.properties ?? [])).toEqual({
    "isolate-ports": "0",
    vlanaware: "1",
  });
});

test("anything else is refused as a whole", () => {
  for (const text of [
    "{",
    "[]",
    '{"version":-1}',
    '{"zones":1}',
    '{"zones":{"ids":{"a":{}}}}',
    '{"zones":{"ids":[]}}',
  ])
    expect(() => parseRunningSdn(text)).toThrow(LxcriError);
});
