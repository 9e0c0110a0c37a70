import { describe, expect, test } from "bun:test";
import { planGroups } from "./group-path.ts";
import { detectLayout } from "./hierarchy.ts";
import {
  resetCall,
  setCall,
  setScope,
  startCall,
  startScope,
  stopCall,
  stopScope,
  systemdRuns,
} from "./systemd.ts";
import {
  annotationProperties,
  mergeProperties,
  resourceProperties,
  scopeProperties,
  type UnitProperty,
} from "./systemd-properties.ts";

const shown = (properties: readonly UnitProperty[]) =>
  properties.map(({ name, signature, words }) => `${name} ${signature} ${words.join(" ")}`);
const INFINITY = "18446744073709551615";

describe("resourceProperties", () => {
  test("v2", () => {
    const resources = {
      memory: { limit: 1000, reservation: 500, swap: 1500n },
      cpu: { shares: 1024, quota: 12_345, period: 50_000, cpus: "0,2-3,9", mems: "0" },
      pids: { limit: 100 },
      blockIO: { weight: 1000 },
    };
    expect(shown(resourceProperties(resources, 2))).toEqual([
      "MemoryMax t 1000",
      "MemoryLow t 500",
      "MemorySwapMax t 500",
      "CPUWeight t 100",
      "IOWeight t 10000",
      "CPUQuotaPeriodUSec t 50000",
      "CPUQuotaPerSecUSec t 250000",
      "TasksMax t 100",
      "AllowedCPUs ay 2 13 2",
      "AllowedMemoryNodes ay 1 1",
    ]);
  });

  test("-1 is infinity, 0 and absent are nothing", () => {
    const lifted = {
      memory: { limit: -1, swap: -1, reservation: 0 },
      cpu: { quota: -1 },
      pids: { limit: -1 },
    };
    expect(shown(resourceProperties(lifted, 2))).toEqual([
      `MemoryMax t ${INFINITY}`,
      `MemorySwapMax t ${INFINITY}`,
      `CPUQuotaPerSecUSec t ${INFINITY}`,
      `TasksMax t ${INFINITY}`,
    ]);
    expect(shown(resourceProperties({ pids: { limit: 0 }, memory: { swap: 5 } }, 2))).toEqual([
      "TasksMax t 1",
    ]);
    expect(resourceProperties({}, 2)).toEqual([]);
  });

  test("v1 has its own names", () => {
    const resources = {
      memory: { limit: 1000 },
      cpu: { shares: 512, quota: 50_000 },
      blockIO: { weight: 10 },
    };
    expect(shown(resourceProperties(resources, 1))).toEqual([
      "MemoryLimit t 1000",
      "CPUShares t 512",
      "BlockIOWeight t 10",
      "CPUQuotaPerSecUSec t 500000",
    ]);
  });

  test("unified files that systemd knows", () => {
    const unified = {
      "memory.high": "max",
      "memory.max": "4096",
      "io.weight": "default 20",
      "cpu.max": "5000 10000",
      "cpuset.cpus": "1",
      "cpuset.mems": "0-1",
      "memory.oom.group": "1",
      "pids.max": "rubbish",
    };
    expect(shown(resourceProperties({ unified }, 2))).toEqual([
      `MemoryHigh t ${INFINITY}`,
      "MemoryMax t 4096",
      "IOWeight t 20",
      "CPUQuotaPeriodUSec t 10000",
      "CPUQuotaPerSecUSec t 500000",
      "AllowedCPUs ay 1 2",
      "AllowedMemoryNodes ay 1 3",
    ]);
    expect(shown(resourceProperties({ unified: { "cpu.max": "max" } }, 2))).toEqual([
      `CPUQuotaPerSecUSec t ${INFINITY}`,
    ]);
  });
});

describe("annotationProperties", () => {
  test("the forms that CRI-O and podman write", () => {
    const annotations = {
      "org.systemd.property.CollectMode": "'inactive-or-failed'",
      "org.systemd.property.TimeoutStopUSec": "uint64 30000000",
      "org.systemd.property.TimeoutStopSec": "uint64 5",
      "org.systemd.property.DefaultDependencies": "true",
      "org.systemd.property.After": "['crio.service', \"x.service\"]",
      "org.systemd.property.OOMScoreAdjust": "-5",
      "io.kubernetes.cri-o.Name": "other",
    };
    expect(shown(annotationProperties(annotations))).toEqual([
      "CollectMode s inactive-or-failed",
      "TimeoutStopUSec t 30000000",
      "TimeoutStopUSec t 5000000",
      "DefaultDependencies b true",
      "After as 2 crio.service x.service",
      "OOMScoreAdjust i -5",
    ]);
  });

  test.each([
    ["org.systemd.property.X-Y", "'a'"],
    ["org.systemd.property.After", "plain"],
    ["org.systemd.property.After", "['a', b]"],
    ["org.systemd.property.After", "'it''s'"],
  ])("%p = %p is refused", (key, value) => {
    expect(() => annotationProperties({ [key]: value })).toThrow("is no GVariant text");
  });
});

test("later properties win", () => {
  const merged = mergeProperties(
    scopeProperties("web", "a.slice", 7),
    annotationProperties({
      "org.systemd.property.CollectMode": "'inactive'",
    }),
  );
  expect(shown(merged)).toContain("CollectMode s inactive");
  expect(shown(merged)).toContain("PIDs au 1 7");
  expect(new Set(merged.map((p) => p.name)).size).toBe(merged.length);
});

describe("argument vectors", () => {
  const head = (timeout: number) => ["busctl", "--system", "--quiet", `--timeout=${timeout}`, "--", "call"];
  const manager = [
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
  ];

  test("StartTransientUnit", () => {
    expect(startCall("x.scope", scopeProperties("web", "a.slice", 7))).toEqual([
      ...head(30),
      ...manager,
      "StartTransientUnit",
      "ssa(sv)a(sa(sv))",
      ...["x.scope", "replace", "10"],
      ...["Description", "s", "OCI container web"],
      ...["Slice", "s", "a.slice"],
      ...["Delegate", "b", "true"],
      ...["PIDs", "au", "1", "7"],
      ...["MemoryAccounting", "b", "true", "CPUAccounting", "b", "true"],
      ...["IOAccounting", "b", "true", "TasksAccounting", "b", "true"],
      ...["DefaultDependencies", "b", "false"],
      ...["CollectMode", "s", "inactive-or-failed"],
      "0",
    ]);
  });

  test("the others", () => {
    const property = { name: "TasksMax", signature: "t", words: ["5"] };
    expect(setCall("x.scope", [property], 1500)).toEqual([
      ...head(2),
      ...manager,
      ...["SetUnitProperties", "sba(sv)", "x.scope", "true", "1", "TasksMax", "t", "5"],
    ]);
    expect(stopCall("x.scope")).toEqual([...head(30), ...manager, "StopUnit", "ss", "x.scope", "replace"]);
    expect(resetCall("x.scope")).toEqual([...head(30), ...manager, "ResetFailedUnit", "s", "x.scope"]);
  });
});

test.skipIf(systemdRuns())("without a bus the unit and the operation are named", async () => {
  const property = { name: "TasksMax", signature: "t", words: ["5"] };
  expect(setScope("x.scope", [property])).rejects.toThrow(/systemd unit x\.scope: set properties: ./);
  expect(stopScope({ unit: "x.scope", slice: "a.slice", folders: {} })).rejects.toThrow(
    /systemd unit x\.scope: stop: ./,
  );
  await setScope("x.scope", []);
});

test.skipIf(systemdRuns())("without systemd a scope is refused before anything is started", async () => {
  const plan = planGroups(detectLayout(), { id: "x", driver: "systemd" });
  if (plan.scope === undefined) throw new Error("no scope planned");
  expect(startScope(plan.scope, () => [])).rejects.toThrow("systemd does not run on this machine");
});
