import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyRdt, planRdt, probeRdt, removeRdt, resctrlRoot, schemataOf } from "./rdt.ts";
import { readRdt } from "./rdt-stats.ts";

test("schemata: MB lines of l3CacheSchema give way to memBwSchema, schemata come last", () => {
  expect(
    schemataOf({ l3CacheSchema: "L3:0=f\nMB:0=5", memBwSchema: "MB:0=70", schemata: ["L2:0=3", "L3:0=ff"] }),
  ).toEqual(["L3:0=f", "MB:0=70", "L2:0=3", "L3:0=ff"]);
  expect(schemataOf({ l3CacheSchema: "L3:0=f\nMB:0=5" })).toEqual(["L3:0=f", "MB:0=5"]);
  expect(schemataOf({ closID: "x" })).toEqual([]);
});

test("resctrlRoot reads the mount point", () => {
  expect(resctrlRoot("1 2 0:3 / /sys/fs/resctrl rw - resctrl resctrl rw\n")).toBe("/sys/fs/resctrl");
  expect(resctrlRoot("1 2 0:3 / /sys rw - sysfs sysfs rw\n")).toBeUndefined();
});

describe("planRdt", () => {
  test("the class is the closID's, else the container's own", () => {
    expect(planRdt({}, "/r", "web")).toEqual({ class: "/r/web", owned: true });
    expect(planRdt({ closID: "gold", enableMonitoring: true }, "/r", "web")).toEqual({
      class: "/r/gold",
      owned: false,
      monitor: "/r/gold/mon_groups/web",
    });
    expect(planRdt({ closID: "/", enableMonitoring: true }, "/r", "web")).toEqual({
      class: "/r",
      owned: false,
      monitor: "/r/mon_groups/web",
    });
  });

  test.each(["..", "a/b", "info", "mon_groups", "a\nb", "."])("%p is no class", (closID) => {
    expect(() => planRdt({ closID }, "/r", "web")).toThrow("is no class name");
  });
});

const machineRoot = resctrlRoot();
test.skipIf(machineRoot !== undefined)("a machine without resctrl refuses it by name", () => {
  const [fault] = probeRdt({ closID: "gold" }, machineRoot);
  expect(fault?.path).toBe("linux.intelRdt");
  expect(fault?.message).toContain("no resctrl file system is mounted");
});

// No machine of ours has resctrl: plain folders stand for it, which accept every write.
describe("on folders laid out as resctrl", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "rdt-"));
    for (const feature of ["L3", "MB"]) mkdirSync(`${root}/info/${feature}`, { recursive: true });
    for (const [file, text] of Object.entries({
      "info/L3/cbm_mask": "7ff",
      "info/L3/min_cbm_bits": "1",
      "info/L3/num_closids": "4",
      "info/MB/bandwidth_gran": "10",
      "info/MB/delay_linear": "1",
      "info/MB/min_bandwidth": "10",
      "info/MB/num_closids": "8",
      schemata: "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n",
      tasks: "",
    })) {
      writeFileSync(`${root}/${file}`, `${text}\n`);
    }
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const existing = (schemata: string) => {
    mkdirSync(`${root}/gold`);
    writeFileSync(`${root}/gold/schemata`, schemata);
    writeFileSync(`${root}/gold/tasks`, "");
    return planRdt({ closID: "gold" }, root, "web");
  };

  test("probeRdt names each feature that is missing", () => {
    const rdt = {
      l3CacheSchema: "L3:0=f",
      memBwSchema: "MB:0=5",
      schemata: ["L2:0=3"],
      enableMonitoring: true,
    };
    expect(probeRdt(rdt, root).map((fault) => fault.path)).toEqual([
      "linux.intelRdt.schemata[0]",
      "linux.intelRdt.enableMonitoring",
    ]);
    rmSync(`${root}/info`, { recursive: true });
    expect(probeRdt(rdt, root)).toHaveLength(4);
  });

  test("an existing class takes the process when it is as asked", () => {
    const group = existing("    L3:0=00F;1=7ff\n");
    applyRdt({ closID: "gold", l3CacheSchema: "L3:0=f" }, group, 4711);
    expect(readFileSync(`${root}/gold/tasks`, "utf8")).toBe("4711");
    expect(readFileSync(`${root}/gold/schemata`, "utf8")).toContain("00F");
    applyRdt({ closID: "gold" }, group, 4712);
    removeRdt(group);
    expect(existsSync(`${root}/gold`)).toBe(true);
  });

  test("an existing class that differs is an error", () => {
    const group = existing("    L3:0=ff;1=7ff\n");
    expect(() => applyRdt({ closID: "gold", l3CacheSchema: "L3:0=f" }, group, 1)).toThrow(
      "its schemata are not",
    );
  });

  test("a named class without schema must exist", () => {
    const rdt = { closID: "silver" };
    expect(() => applyRdt(rdt, planRdt(rdt, root, "web"), 1)).toThrow("no schema says how to make it");
    expect(existsSync(`${root}/silver`)).toBe(false);
  });

  test("a class of its own goes with the container, twice is fine", () => {
    const group = planRdt({}, root, "web");
    mkdirSync(group.class);
    removeRdt(group);
    removeRdt(group);
    expect(existsSync(group.class)).toBe(false);
  });

  test("readRdt", () => {
    const group = existing("    L3:0=f;1=f\n    MB:0=20;1=70\n");
    mkdirSync(`${group.class}/mon_data/mon_L3_00`, { recursive: true });
    writeFileSync(`${group.class}/mon_data/mon_L3_00/llc_occupancy`, "4096\n");
    writeFileSync(`${group.class}/mon_data/mon_L3_00/mbm_total_bytes`, "7\n");
    expect(readRdt(root, group.class)).toEqual({
      l3_cache_info: { cbm_mask: "7ff", min_cbm_bits: 1n, num_closids: 4n },
      l3_cache_schema_root: "L3:0=7ff;1=7ff",
      l3_cache_schema: "L3:0=f;1=f",
      mem_bw_info: { bandwidth_gran: 10n, delay_linear: 1n, min_bandwidth: 10n, num_closids: 8n },
      mem_bw_schema_root: "MB:0=100;1=100",
      mem_bw_schema: "MB:0=20;1=70",
      mbm_stats: [{ mbm_total_bytes: 7n, mbm_local_bytes: 0n }],
      cmt_stats: [{ llc_occupancy: 4096n }],
    });
    expect(readRdt("/nonexistent", "/nonexistent")).toEqual({});
  });
});
