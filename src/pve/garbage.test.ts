/** Whatever comes in, reading ends in a result or in an error of ours, and what is written reads back the same. */
import { describe, expect, test } from "bun:test";
import { LxcriError } from "../host/errors.ts";
import { parseConfig, writeConfig } from "./config-text.ts";
import { planUpdate } from "./config-update.ts";
import { generateLxcConfig } from "./lxc-config.ts";
import { readInterface } from "./net-interface.ts";
import { generateSdnInterfaces } from "./sdn-interfaces.ts";
import { SDN_FILES, type SdnFile } from "./sdn-schema.ts";
import { parseSections, writeSections } from "./section-config.ts";

/** A small generator with a fixed seed (mulberry32), so that a failure can be repeated. */
function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const WORDS = (
  "net0: net31: mp0: rootfs: memory: swap: description: env: delete: snapstate: unused0: dev0: tags: lxc.cap.drop " +
  "lxc.environment.runtime: lxc.idmap = : = [s1] [pve:pending] [ # name=eth0 bridge=vmbr0 ip=10.0.0.1/24 dhcp , ; " +
  "local:x size=8G mp=/a hwaddr=BC:24:11:00:00:01 type=veth 512 0 -1 1e3 yes prepare %0A %zz é \u0000 \u2028 \ud800 " +
  "simple: vlan: evpn: vnet: subnet: z1 v1 zone tag nodes n1,n2 z1-10.0.0.0-24 gateway snat dhcp-range __proto__ \t"
).split(" ");

function garbage(random: (below: number) => number): string {
  const separators = ["\n", "\n", " ", "", ",", "\n\t", "\r\n"];
  let text = "";
  for (let count = random(40); count > 0; count--)
    text += (WORDS[random(WORDS.length)] ?? "") + (separators[random(separators.length)] ?? "");
  return text;
}

/** Runs; an error must be ours. Returns the result, if there is one. */
function guarded<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch (reason) {
    if (!(reason instanceof LxcriError)) throw reason;
    return undefined;
  }
}

/** Proxmox writes the header of pending changes even where they are a description without a line. */
const withoutEmptyPending = (text: string): string => text.replace(/\n\[pve:pending\]\n(?=\n|$)/, "");

const RUNS = 3000;

describe("random text", () => {
  test("as a container's configuration", () => {
    const random = randomSource(1);
    for (let run = 0; run < RUNS; run++) {
      const text = garbage(random);
      guarded(() => parseConfig(text, 100, { strict: true }));
      const { config } = parseConfig(text, 100);
      const written = guarded(() => writeConfig(config));
      if (written !== undefined)
        expect(writeConfig(parseConfig(written, 100).config)).toBe(withoutEmptyPending(written));
      guarded(() => generateLxcConfig(100, config, { bridgeMtu: () => 1500, device: () => undefined }));
    }
  });

  test("as a change of a container's configuration", () => {
    const random = randomSource(2);
    for (let run = 0; run < RUNS; run++) {
      const { config } = parseConfig(garbage(random), 100);
      const set = new Map([
        ["net0", garbage(random).replaceAll("\n", ",")],
        ["mp0", garbage(random)],
      ]);
      const bridge = { mtu: 1500, vlanAware: random(2) === 0, ports: [] };
      guarded(() =>
        planUpdate(
          config,
          { set, remove: ["net31", "unused0"], revert: ["swap"] },
          {
            vmid: 100,
            running: random(2) === 0,
            node: { bridge: () => bridge, nftables: false },
            generateMac: () => "02:00:00:00:00:01",
          },
        ),
      );
    }
  });

  test("as an interface", () => {
    const random = randomSource(3);
    for (let run = 0; run < RUNS; run++)
      guarded(() => readInterface(0, garbage(random), { notation: "legacy" }));
  });

  test("as files of the software-defined network", () => {
    const random = randomSource(4);
    for (let run = 0; run < RUNS; run++) {
      const read = (file: SdnFile) => parseSections(SDN_FILES[file], garbage(random)).config;
      const config = { zones: read("zones"), vnets: read("vnets"), subnets: read("subnets") };
      const written = guarded(() => writeSections(SDN_FILES.zones, config.zones));
      if (written !== undefined)
        expect(writeSections(SDN_FILES.zones, parseSections(SDN_FILES.zones, written).config)).toBe(written);
      const node = { name: "n1", addresses: [], mtu: () => undefined, bridge: () => undefined };
      guarded(() => generateSdnInterfaces(config, node, 1));
    }
  });
});
