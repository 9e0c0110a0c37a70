import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { nested, pairs, valuesOf } from "../lxc/plan.fixture.ts";
import type { Config } from "../spec/config.ts";
import { defaultConfig } from "../spec/default-config.ts";
import { TestContainers } from "./containers.fixture.ts";
import { readStartPlan, writeShortcuts } from "./shortcuts.ts";

const deletePlan = (made: TestContainers): string => `${made.store.directory("one")}/delete.plan`;

/** The plans of a container with this config. */
function write(made: TestContainers, change: Partial<Config> = {}) {
  const { record } = made.make("one");
  writeShortcuts(made.store, record, { ...defaultConfig(), ...change });
  return record;
}

test("start's plan: who init is, where it waits, what is locked and logged", async () => {
  await using made = new TestContainers();
  const record = write(made);
  const plan = readStartPlan(made.store, "one");
  const directory = made.store.directory("one");
  expect(Object.fromEntries(pairs(plan))).toMatchObject({
    id: "one",
    pid: `${record.init?.pid}`,
    "start-time": `${record.init?.startTime}`,
    lock: made.store.lockPath("one"),
    events: made.store.eventsPath,
    "start-fifo": made.store.startFifoPath("one"),
    "result-fifo": made.store.resultFifoPath("one"),
    "hooks-folder": made.store.hooksPath("one"),
  });
  expect(JSON.parse(`{${valuesOf(plan, "state")[0]}`)).toMatchObject({
    id: "one",
    annotations: record.annotations,
  });
  expect(statSync(`${directory}/start.plan`).mode & 0o077).toBe(0);
});

test("it names the file that says whether the container is paused", async () => {
  await using made = new TestContainers();
  write(made);
  const [path = ""] = valuesOf(readStartPlan(made.store, "one"), "freezer");
  expect(readFileSync(path, "utf8")).toMatch(/^THAWED\n$|^frozen 0$/m);
});

test("poststart hooks are in it, in the bundle; others are not", async () => {
  await using made = new TestContainers();
  const record = write(made, {
    hooks: { poststart: [{ path: "/a" }, { path: "/b" }], createRuntime: [{ path: "/c" }] },
  });
  expect(nested(readStartPlan(made.store, "one"), "hook").map((hook) => Object.fromEntries(hook))).toEqual([
    { kind: "poststart", path: "/a", cwd: record.bundle },
    { kind: "poststart", path: "/b", cwd: record.bundle },
  ]);
});

describe("delete's plan", () => {
  test("names every group and the folder", async () => {
    await using made = new TestContainers();
    const record = write(made);
    const plan = readFileSync(deletePlan(made));
    expect(valuesOf(plan, "folder")).toEqual([made.store.directory("one")]);
    expect(valuesOf(plan, "leaf").sort()).toEqual(Object.values(record.cgroup?.leaves ?? {}).sort());
    expect(valuesOf(plan, "leaf").length).toBeGreaterThan(0);
  });

  test.each([
    ["poststop hooks", { hooks: { poststop: [{ path: "/bin/true" }] } }],
    ["a class of service", { linux: { intelRdt: { closID: "x" } } }],
    ["network devices to give back", { linux: { netDevices: { eth9: {} } } }],
  ] as const)("is not written where there are %s", async (_name, change) => {
    await using made = new TestContainers();
    write(made, change);
    expect(existsSync(deletePlan(made))).toBe(false);
  });
});
