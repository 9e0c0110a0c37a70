import { describe, expect, test } from "bun:test";
import { LxcriError } from "../host/errors.ts";
import { run } from "../host/process.ts";
import { CAPABILITIES } from "../spec/names.ts";
import {
  adjustCapabilities,
  capabilityMask,
  capabilityNames,
  capabilityWords,
  DEFAULT_CAPABILITIES,
  isCapability,
  ownCapabilities,
  ownCapability,
  parseProcessCapabilities,
  planCapabilities,
} from "./capabilities.ts";

const ALL = (1n << 41n) - 1n;

describe("names and bits", () => {
  test("are those of linux/capability.h", async () => {
    const { stdout } = await run([
      "gcc",
      "-E",
      "-dM",
      "-include",
      "linux/capability.h",
      "-x",
      "c",
      "/dev/null",
    ]);
    const defined = [...stdout.matchAll(/^#define (CAP_[A-Z_]+) (\d+)$/gm)].filter(
      ([, n]) => n !== "CAP_LAST_CAP",
    );
    expect(defined.length).toBeGreaterThanOrEqual(CAPABILITIES.length);
    for (const [, name = "", bit = ""] of defined)
      expect([name, capabilityMask([name])]).toEqual([name, 1n << BigInt(bit)]);
  });

  test("the default set is Docker's mask", () => {
    expect(capabilityMask(DEFAULT_CAPABILITIES)).toBe(0xa80425fbn);
  });

  test("go there and back, in words too", () => {
    expect(capabilityNames(ALL)).toEqual([...CAPABILITIES]);
    expect(capabilityMask(capabilityNames(0xa80425fbn))).toBe(0xa80425fbn);
    expect(capabilityWords(ALL)).toEqual([0xffff_ffff, 0x1ff]);
    expect(capabilityMask(["CAP_FUTURE", "cap_chown"])).toBe(0n);
    expect(isCapability("CAP_CHOWN")).toBe(true);
    expect(isCapability("constructor")).toBe(false);
  });
});

describe("add and drop", () => {
  const result = (change: Parameters<typeof adjustCapabilities>[1]) => [
    ...adjustCapabilities(["CAP_CHOWN", "CAP_KILL"], change),
  ];

  test("take names in any spelling", () => {
    expect(result({ add: ["net_admin", "CAP_SYS_TIME"], drop: ["Kill"] })).toEqual([
      "CAP_CHOWN",
      "CAP_NET_ADMIN",
      "CAP_SYS_TIME",
    ]);
  });

  test("a name beats ALL, dropping beats adding", () => {
    expect(result({ drop: ["all"], add: ["mknod"] })).toEqual(["CAP_MKNOD"]);
    expect(result({ add: ["ALL"], drop: ["mknod"] })).toHaveLength(40);
    expect(result({ add: ["ALL"], drop: ["ALL"] })).toEqual([]);
    expect(result({ add: ["kill"], drop: ["kill"] })).toEqual(["CAP_CHOWN"]);
    expect(result({})).toEqual(["CAP_CHOWN", "CAP_KILL"]);
  });

  test("refuse an unknown name", () => {
    expect(() => result({ add: ["sys_magic"] })).toThrow(LxcriError);
    expect(() => result({ drop: ["CAP_CAP_KILL"] })).toThrow('"CAP_CAP_KILL": no such capability');
  });
});

describe("this process", () => {
  test("knows its own sets", async () => {
    const { stdout } = await run(["sh", "-c", "grep Cap /proc/self/status"]);
    expect(parseProcessCapabilities(stdout)).toEqual(ownCapabilities());
    expect(ownCapability("CAP_SYS_ADMIN")).toBe((ownCapabilities().effective & (1n << 21n)) !== 0n);
  });

  test("says what is missing in a text that is no status", () => {
    expect(() => parseProcessCapabilities("Name:\tx\nCapEff:\t0000\n")).toThrow("no line CapBnd");
  });
});

describe("the five sets", () => {
  const CHOWN = 1n;
  const KILL = 1n << 5n;
  const RESOURCE = 1n << 24n;

  test("become masks", () => {
    const set = ["CAP_CHOWN", "CAP_KILL"];
    const sets = {
      bounding: set,
      permitted: set,
      inheritable: set,
      effective: ["CAP_KILL"],
      ambient: ["CAP_CHOWN"],
    };
    expect(planCapabilities(sets, ALL)).toEqual({
      value: {
        bounding: CHOWN | KILL,
        permitted: CHOWN | KILL,
        inheritable: CHOWN | KILL,
        effective: KILL,
        ambient: CHOWN,
      },
      warnings: [],
    });
    const none = { bounding: 0n, permitted: 0n, inheritable: 0n, effective: 0n, ambient: 0n };
    expect(planCapabilities({}, ALL)).toEqual({ value: none, warnings: [] });
  });

  test("lose what this node's bounding set lacks, with one warning", () => {
    const set = ["CAP_SYS_RESOURCE", "CAP_CHOWN"];
    const { value, warnings } = planCapabilities(
      { bounding: set, permitted: set, effective: set, inheritable: set, ambient: set },
      ALL & ~RESOURCE,
    );
    expect(new Set(Object.values(value))).toEqual(new Set([CHOWN]));
    expect(warnings).toEqual([
      {
        code: "capability-unavailable",
        message: "capabilities CAP_SYS_RESOURCE: ignored, not in this node's bounding set",
      },
    ]);
  });

  test("lose what is inheritable but not bounding, ambient with it", () => {
    const set = ["CAP_CHOWN", "CAP_KILL"];
    const sets = { bounding: ["CAP_KILL"], permitted: set, inheritable: set, ambient: set };
    const { value, warnings } = planCapabilities(sets, ALL);
    expect(value).toMatchObject({ inheritable: KILL, ambient: KILL, permitted: CHOWN | KILL });
    expect(warnings.map((w) => w.code)).toEqual(["capability-not-grantable"]);
  });
});
