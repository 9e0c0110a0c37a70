import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, unlinkSync, writeFileSync } from "node:fs";
import { processStat } from "../host/process.ts";
import { TestContainers } from "./containers.fixture.ts";
import { deleteContainer } from "./delete.ts";
import { killContainer } from "./kill.ts";
import { pauseContainer, resumeContainer } from "./pause.ts";
import { processTable } from "./processes.ts";
import { listStates, stateOf } from "./state.ts";
import { identify } from "./store.ts";
import { updateContainer } from "./update.ts";

const status = (made: TestContainers, id = "one") => stateOf(made.store, id).status;
const remove = (made: TestContainers, id: string, force = false) =>
  deleteContainer({ store: made.store, id, log: made.log }, { force });

/** Waits for the FIFO's holder to be there: the shell opens it after it was spawned. */
async function untilCreated(made: TestContainers): Promise<void> {
  for (let i = 0; i < 200 && status(made) !== "created"; i += 1) await Bun.sleep(5);
}

describe("status", () => {
  test("follows the processes: running, stopped", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    expect(stateOf(made.store, "one")).toEqual({
      ociVersion: "1.3.0",
      id: stateOf(made.store, "one").id,
      status: "running",
      pid: init.pid,
      bundle: `${made.root}/bundle`,
      rootfs: `${made.root}/bundle/rootfs`,
      created: "2026-01-02T03:04:05.678Z",
      annotations: { "org.example": "yes" },
      owner: "root",
    });
    init.kill("SIGKILL");
    await init.exited;
    expect(status(made)).toBe("stopped");
    expect(stateOf(made.store, "one")).not.toHaveProperty("pid");
  });

  test("a zombie init is stopped", async () => {
    await using made = new TestContainers();
    // It ends only when its parent is a program that never waits for it.
    const parent = Bun.spawn(["sh", "-c", "sleep 0.1 & echo $!; exec sleep 1000"], {
      stdin: "ignore",
      stdout: "pipe",
    });
    try {
      const { value } = await parent.stdout.getReader().read();
      const zombie = Number(new TextDecoder().decode(value));
      for (let i = 0; i < 200 && processStat(zombie)?.state !== "Z"; i += 1) await Bun.sleep(5);
      const identity = identify(zombie);
      expect(identity).toBeDefined();
      made.make("one", { cgroup: false, record: identity === undefined ? {} : { init: identity } });
      expect(status(made)).toBe("stopped");
    } finally {
      parent.kill("SIGKILL");
      await parent.exited;
    }
  });

  test("created while the start FIFO has a reader; looking does not disturb it", async () => {
    await using made = new TestContainers();
    made.make("one", { waits: true, cgroup: false });
    await untilCreated(made);
    for (let i = 0; i < 5; i += 1) expect(status(made)).toBe("created");
    unlinkSync(made.store.startFifoPath("one"));
    expect(status(made)).toBe("running");
  });

  test("a FIFO that nobody reads is no created container", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one", {
      waits: true,
      argv: ["sh", "-c", "exec 3>&-; exec sleep 1000"],
      cgroup: false,
    });
    for (let i = 0; i < 200 && (await Bun.file(`/proc/${init.pid}/comm`).text()) !== "sleep\n"; i += 1) {
      await Bun.sleep(5);
    }
    expect(status(made)).toBe("running");
  });

  test("a pid that was used again is not the container's", async () => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false, record: { init: { pid: process.pid, startTime: 1 } } });
    expect(status(made)).toBe("stopped");
    await expect(killContainer(made.store, "one", 9, false)).rejects.toThrow("container not running");
  });

  test("creating while its creator lives, stopped when that was killed", async () => {
    await using made = new TestContainers();
    const creator = identify() ?? { pid: 0, startTime: 0 };
    made.make("one", { cgroup: false, record: { phase: "creating", creator } });
    made.make("two", { cgroup: false, record: { phase: "creating", creator: { ...creator, startTime: 1 } } });
    expect(status(made)).toBe("creating");
    expect(status(made, "two")).toBe("stopped");
  });
});

describe("pause", () => {
  test("freezes, resumes, and refuses what the status does not allow", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    await expect(resumeContainer(made.store, "one")).rejects.toThrow("container not paused");
    await pauseContainer(made.store, "one");
    expect(status(made)).toBe("paused");
    await expect(pauseContainer(made.store, "one")).rejects.toThrow("its status is paused");
    await resumeContainer(made.store, "one");
    expect(status(made)).toBe("running");
    init.kill("SIGKILL");
    await init.exited;
    await expect(pauseContainer(made.store, "one")).rejects.toThrow("its status is stopped");
  });

  test("a paused container dies of SIGKILL at once", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    await pauseContainer(made.store, "one");
    await killContainer(made.store, "one", 9, false);
    expect(await init.exited).toBe(137);
  });

  test("without a cgroup there is no pause", async () => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    await expect(pauseContainer(made.store, "one")).rejects.toThrow("no cgroup with a freezer");
  });
});

describe("kill", () => {
  test("signals init alone, by its own number", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    await killContainer(made.store, "one", 15, false);
    expect(await init.exited).toBe(143);
    await expect(killContainer(made.store, "one", 15, false)).rejects.toThrow("container not running");
  });

  test("--all reaches the children, also after init has gone", async () => {
    await using made = new TestContainers();
    const { init, leaf } = made.make("one", { argv: ["sh", "-c", "sleep 1000 & sleep 1000 & wait"] });
    for (let i = 0; i < 200 && (leaf?.processes().length ?? 0) < 3; i += 1) await Bun.sleep(5);
    init.kill("SIGKILL");
    await init.exited;
    expect(leaf?.processes().length).toBe(2);
    await killContainer(made.store, "one", 15, true);
    for (let i = 0; i < 200 && leaf?.isPopulated() === true; i += 1) await Bun.sleep(5);
    expect(leaf?.processes()).toEqual([]);
    await killContainer(made.store, "one", 9, true);
  });

  test("SIGKILL to a container in the host's PID namespace ends all of it", async () => {
    await using made = new TestContainers();
    const { leaf } = made.make("one", { argv: ["sh", "-c", "sleep 1000 & wait"] });
    for (let i = 0; i < 200 && (leaf?.processes().length ?? 0) < 2; i += 1) await Bun.sleep(5);
    await killContainer(made.store, "one", 9, false);
    for (let i = 0; i < 200 && leaf?.isPopulated() === true; i += 1) await Bun.sleep(5);
    expect(leaf?.processes()).toEqual([]);
  });
});

describe("delete", () => {
  test("refuses a running container and changes nothing", async () => {
    await using made = new TestContainers();
    made.make("one");
    await expect(remove(made, "one")).rejects.toThrow(
      'cannot delete container "one" that is not stopped: running',
    );
    expect(status(made)).toBe("running");
  });

  test("takes away the folder, the groups and the lock of a stopped one", async () => {
    await using made = new TestContainers();
    const { init, leaf } = made.make("one");
    init.kill("SIGKILL");
    await init.exited;
    await remove(made, "one");
    expect(leaf?.exists()).toBe(false);
    expect(readdirSync(`${made.root}/containers`)).toEqual([]);
    expect(readdirSync(`${made.root}/locks`)).toEqual([]);
  });

  test("kills a created one", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one", { waits: true, cgroup: false });
    await untilCreated(made);
    await remove(made, "one");
    expect(await init.exited).toBe(137);
    expect(made.store.exists("one")).toBe(false);
  });

  test("--force ends a running one with its children and nested groups", async () => {
    await using made = new TestContainers();
    const { init, leaf } = made.make("one", { argv: ["sh", "-c", "sleep 1000 & wait"] });
    await remove(made, "one", true);
    expect(await init.exited).toBe(137);
    expect(leaf?.exists()).toBe(false);
  });

  test("--force ends a paused one", async () => {
    await using made = new TestContainers();
    const { init, leaf } = made.make("one");
    await pauseContainer(made.store, "one");
    await remove(made, "one", true);
    expect(await init.exited).toBe(137);
    expect(leaf?.exists()).toBe(false);
  });

  test("a missing one is an error, with --force it is none, and neither leaves a lock", async () => {
    await using made = new TestContainers();
    await expect(remove(made, "no")).rejects.toThrow('container "no" does not exist');
    await remove(made, "no", true);
    expect(existsSync(`${made.root}/locks`)).toBe(false);
  });

  test.each(["missing", "garbage"])("--force takes away a container whose record is %s", async (kind) => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    const path = `${made.root}/containers/one/state.json`;
    writeFileSync(made.store.configPath("one"), "{}");
    if (kind === "missing") unlinkSync(path);
    else writeFileSync(path, '{"ociVersion":');
    await expect(remove(made, "one")).rejects.toThrow("state.json");
    await remove(made, "one", true);
    expect(made.store.exists("one")).toBe(false);
  });

  test("a record whose cgroup has gone and whose pid was used again hurts nobody", async () => {
    await using made = new TestContainers();
    const { record, leaf, init } = made.make("one");
    made.store.save({ ...record, init: { pid: process.pid, startTime: 1 } });
    init.kill("SIGKILL");
    await init.exited;
    for (const folder of Object.values(leaf?.folders ?? {})) {
      for (let i = 0; i < 100 && existsSync(folder); i += 1) await Bun.$`rmdir ${folder}`.quiet().nothrow();
    }
    await remove(made, "one");
    expect(made.store.exists("one")).toBe(false);
  });

  test("what a killed create left is killed and removed without --force", async () => {
    await using made = new TestContainers();
    const { record, init, leaf } = made.make("one");
    const { init: _gone, ...early } = record;
    made.store.save({ ...early, phase: "creating" });
    await remove(made, "one");
    expect(await init.exited).toBe(137);
    expect(leaf?.exists()).toBe(false);
  });

  test("two at once: one deletes, the other finds nothing", async () => {
    await using made = new TestContainers();
    made.make("one");
    const results = await Promise.allSettled([remove(made, "one", true), remove(made, "one", true)]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "fulfilled"]);
    expect(readdirSync(`${made.root}/locks`)).toEqual([]);
  });
});

test("a damaged container is listed as stopped, with a warning", async () => {
  await using made = new TestContainers();
  made.make("one", { cgroup: false });
  made.make("two", { cgroup: false });
  writeFileSync(`${made.root}/containers/one/state.json`, "");
  expect(listStates(made.store, made.log).map((state) => [state.id as string, state.status])).toEqual([
    ["one", "stopped"],
    ["two", "running"],
  ]);
  expect(made.logged).toEqual(['warning: container "one": state.json is not JSON']);
});

test("processes are those of the cgroup, as ps(1) shows them", async () => {
  await using made = new TestContainers();
  const { init } = made.make("one");
  const { pids, table } = processTable(made.store, "one");
  expect(pids).toEqual([init.pid]);
  expect(
    (await table(["-e", "-o", "pid,comm"]))
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/)),
  ).toEqual([
    ["PID", "COMMAND"],
    [String(init.pid), "sleep"],
  ]);
  await expect(table(["-e", "-o", "comm"])).rejects.toThrow("no PID column");
  await expect(table(["--nonsense"])).rejects.toThrow("ps --nonsense");
});

test("update changes the limits of a running container only", async () => {
  await using made = new TestContainers();
  const { init, leaf } = made.make("one");
  const target = { store: made.store, id: "one", log: made.log };
  await updateContainer(target, { resources: { pids: { limit: 55 } } });
  expect(leaf?.read("pids", "pids.max")).toBe("55");
  init.kill("SIGKILL");
  await init.exited;
  await expect(updateContainer(target, { resources: { pids: { limit: 5 } } })).rejects.toThrow(
    "its status is stopped",
  );
  made.make("two", { cgroup: false });
  await expect(updateContainer({ ...target, id: "two" }, { resources: {} })).rejects.toThrow("has no cgroup");
});
