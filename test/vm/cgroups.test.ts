/**
 * Control groups where systemd and cgroup v2 are real. Run it as root on such a machine:
 * `bun test test/vm/cgroups.test.ts src/cgroups`; elsewhere it is skipped, and says so.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { applyResources } from "../../src/cgroups/apply.ts";
import { applyDevices } from "../../src/cgroups/devices.ts";
import { type GroupPlan, planGroups } from "../../src/cgroups/group-path.ts";
import { detectLayout, groupsOf } from "../../src/cgroups/hierarchy.ts";
import { killAll, waitEmpty } from "../../src/cgroups/kill.ts";
import { Leaf } from "../../src/cgroups/leaf.ts";
import { prepareLeaf, removeLeaf } from "../../src/cgroups/leaf-lifecycle.ts";
import { setScope, startScope, stopScope, systemdRuns } from "../../src/cgroups/systemd.ts";
import { resourceProperties, scopeProperties } from "../../src/cgroups/systemd-properties.ts";

const here = systemdRuns() && detectLayout().mode === "unified";
if (!here) console.warn("skipped: systemd scopes need systemd as PID 1 and cgroup v2");

/** What systemd itself says of a unit. */
const property = (unit: string, name: string) =>
  Bun.spawnSync(["systemctl", "show", "-P", name, unit]).stdout.toString().trim();

const limits = {
  memory: { limit: 67_108_864, swap: 67_108_864 },
  cpu: { shares: 2048, quota: 50_000 },
  pids: { limit: 77 },
};

describe.skipIf(!here)("a systemd scope", () => {
  const layout = detectLayout();
  const plan = (
    id: string,
    slice = "lxcritest-a.slice",
  ): GroupPlan & { scope: NonNullable<GroupPlan["scope"]> } => {
    const planned = planGroups(layout, { id, driver: "systemd", cgroupsPath: `${slice}:lxcri:${id}` });
    if (planned.scope === undefined) throw new Error("no scope planned");
    return { ...planned, scope: planned.scope };
  };
  const start = ({ scope }: ReturnType<typeof plan>, id: string) =>
    startScope(scope, (pid) => [...scopeProperties(id, scope.slice, pid), ...resourceProperties(limits, 2)]);

  afterAll(() => {
    Bun.spawnSync(["systemctl", "stop", "lxcritest.slice"]);
  });

  test("is where the plan says, with its limits; lives by the container's leaf; is changed and stopped", async () => {
    const planned = plan("one");
    const leaf = new Leaf(planned.leaves);
    const held = await start(planned, "one");
    expect(property(planned.scope.unit, "ActiveState")).toBe("active");
    expect(property(planned.scope.unit, "Slice")).toBe("lxcritest-a.slice");
    expect(property(planned.scope.unit, "Delegate")).toBe("yes");
    expect(property(planned.scope.unit, "TasksMax")).toBe("77");
    const scope = planned.scope.folders.unified ?? "";
    expect(readFileSync(`${scope}/memory.max`, "utf8").trim()).toBe("67108864");
    expect(readFileSync(`${scope}/memory.swap.max`, "utf8").trim()).toBe("0");
    expect(readFileSync(`${scope}/cpu.max`, "utf8").trim()).toBe("50000 100000");

    prepareLeaf(layout, leaf);
    expect(leaf.exists()).toBe(false);
    mkdirSync(leaf.unified ?? "");
    const init = Bun.spawn(["sleep", "600"]);
    leaf.addProcess(init.pid);
    await held.release();
    expect(groupsOf(init.pid).get("unified")).toEndWith("/lxcri-one.scope/container");
    await Bun.sleep(300);
    expect(property(planned.scope.unit, "ActiveState")).toBe("active");

    applyResources(leaf, limits);
    // systemd's own device program on the scope and ours on the leaf must both allow.
    await setScope(planned.scope.unit, [{ name: "DevicePolicy", signature: "s", words: ["closed"] }]);
    await applyDevices(leaf, []);
    await applyDevices(leaf, [{ allow: true }]);
    const joined = (script: string) =>
      Bun.spawnSync(["sh", "-c", `echo $$ >${leaf.unified}/cgroup.procs; ${script}`]).exitCode === 0;
    expect(joined("head -c1 /dev/zero >/dev/null")).toBe(true);
    expect(joined("exec 3</dev/kmsg")).toBe(false);
    expect(leaf.read("pids", "pids.max")).toBe("77");
    await setScope(
      planned.scope.unit,
      resourceProperties({ memory: { limit: 134_217_728 }, pids: { limit: -1 } }, 2),
    );
    expect(readFileSync(`${scope}/memory.max`, "utf8").trim()).toBe("134217728");
    expect(property(planned.scope.unit, "TasksMax")).toBe("infinity");
    await setScope(planned.scope.unit, []);

    await killAll(leaf, 9);
    await init.exited;
    expect(await waitEmpty(leaf, 10_000)).toBe(true);
    await removeLeaf(leaf);
    await stopScope(planned.scope);
    expect(existsSync(scope)).toBe(false);
    await stopScope(planned.scope);
    expect(property(planned.scope.unit, "LoadState")).toBe("not-found");
  }, 60_000);

  test("that exists already is an error, and the first one lives on", async () => {
    const planned = plan("twice");
    const held = await start(planned, "twice");
    try {
      expect(start(planned, "twice")).rejects.toThrow(/systemd unit lxcri-twice\.scope: start: .*already/);
      await Bun.sleep(2000);
      expect(property(planned.scope.unit, "ActiveState")).toBe("active");
    } finally {
      await held.release();
      await stopScope(planned.scope);
    }
  }, 60_000);

  test("a property that systemd does not take is refused with its words", async () => {
    const planned = plan("wrong");
    const wrong = { name: "NoSuchProperty", signature: "s", words: ["x"] };
    const failed = startScope(planned.scope, (pid) => [
      ...scopeProperties("wrong", planned.scope.slice, pid),
      wrong,
    ]);
    expect(failed).rejects.toThrow(/lxcri-wrong\.scope: start: .*NoSuchProperty/);
    await failed.catch(() => undefined);
    expect(setScope("lxcri-none.scope", [wrong])).rejects.toThrow("set properties");
  }, 60_000);

  test("a killed creator leaves no scope behind", async () => {
    const source = `
      const { startScope } = await import("${import.meta.dir}/../../src/cgroups/systemd.ts");
      const { scopeProperties } = await import("${import.meta.dir}/../../src/cgroups/systemd-properties.ts");
      const scope = ${JSON.stringify(plan("killed").scope)};
      await startScope(scope, (pid) => scopeProperties("killed", scope.slice, pid));
      console.log("started");
      await Bun.sleep(60_000);`;
    const child = Bun.spawn([process.execPath, "-e", source], { stdout: "pipe" });
    const { value } = await child.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("started");
    expect(property("lxcri-killed.scope", "ActiveState")).toBe("active");
    child.kill("SIGKILL");
    await child.exited;
    for (let i = 0; i < 100 && property("lxcri-killed.scope", "ActiveState") === "active"; i += 1)
      await Bun.sleep(100);
    expect(property("lxcri-killed.scope", "ActiveState")).toBe("inactive");
  }, 60_000);
});
