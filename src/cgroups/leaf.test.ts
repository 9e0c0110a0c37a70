import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { messageOf } from "../host/errors.ts";
import { freeze, isFrozen, thaw } from "./freezer.ts";
import { TestLeaf } from "./groups.fixture.ts";
import { groupsOf } from "./hierarchy.ts";
import { killAll, waitEmpty } from "./kill.ts";
import { Leaf } from "./leaf.ts";
import { delegateLeaf, enableBelow, prepareLeaf, removeLeaf } from "./leaf-lifecycle.ts";

const SLEEP = "sleep 60 & sleep 60 & wait";
const folders = (leaf: Leaf) => Object.values(leaf.folders);
const noLeaf = new Leaf({ unified: "/sys/fs/cgroup/lxcri-no-such-group" });

/** Process state letter of /proc. */
const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0];

/** Waits for a condition, which may hold only for a moment. */
async function settle(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (condition()) return;
    await Bun.sleep(10);
  }
  throw new Error(`not within 2 s: ${condition}`);
}

/** The leaf seen without its v2 hierarchy, as on a machine that has v1 alone; undefined where there is no v1. */
function legacyView({ leaf, layout }: TestLeaf): Leaf | undefined {
  if (layout.mode === "unified") return undefined;
  return new Leaf(Object.fromEntries(Object.entries(leaf.folders).filter(([key]) => key !== "unified")));
}

describe("members", () => {
  test("processes, those of nested groups too", async () => {
    await using made = new TestLeaf();
    const { leaf } = made;
    expect(leaf.exists()).toBe(true);
    expect(leaf.isPopulated()).toBe(false);
    expect(leaf.processes()).toEqual([]);
    const child = made.run(SLEEP);
    await settle(() => leaf.processes().length === 3);
    expect(leaf.processes()).toContain(child.pid);
    for (const group of groupsOf(child.pid).values()) expect(group).toEndWith(`/${made.name}`);

    const nested = `${leaf.membership}/nested`;
    mkdirSync(nested);
    writeFileSync(`${nested}/cgroup.procs`, String(child.pid));
    expect(leaf.processes()).toContain(child.pid);
    expect(leaf.processes()).toHaveLength(3);
    expect(leaf.isPopulated()).toBe(true);
    expect(legacyView(made)?.isPopulated() ?? true).toBe(true);
  });

  test("a group that is not there has nobody, and no limits", () => {
    expect(noLeaf.exists()).toBe(false);
    expect(noLeaf.isPopulated()).toBe(false);
    expect(noLeaf.processes()).toEqual([]);
    expect(noLeaf.oomKills()).toBeUndefined();
    expect(noLeaf.version("memory")).toBeUndefined();
    expect(() => noLeaf.write("memory", "memory.max", "1")).toThrow("has no memory controller");
    expect(() => noLeaf.write("freezer", "cgroup.freeze", "1")).toThrow("no such file");
  });

  test("entrances: one per hierarchy; a v2 leaf with controllers for children sends to init's own group", async () => {
    await using made = new TestLeaf();
    const { leaf, layout } = made;
    const child = made.run(SLEEP);
    expect(leaf.entrances(child.pid).sort()).toEqual(
      folders(leaf)
        .map((f) => `${f}/cgroup.procs`)
        .sort(),
    );
    const v2 = layout.hierarchies.find((h) => h.version === 2);
    if (v2 === undefined || leaf.unified === undefined || v2.controllers.length === 0) return;
    mkdirSync(`${leaf.unified}/init`);
    await settle(() => leaf.processes().length === 3);
    for (const pid of leaf.processes()) writeFileSync(`${leaf.unified}/init/cgroup.procs`, String(pid));
    enableBelow(leaf.unified, leaf.unified, v2.controllers);
    expect(leaf.entrances(child.pid)).toContain(`${leaf.unified}/init/cgroup.procs`);
    expect(leaf.entrances(child.pid)).not.toContain(`${leaf.unified}/cgroup.procs`);
    const stranger = Bun.spawn(["sleep", "60"]);
    try {
      expect(() => leaf.addProcess(stranger.pid)).toThrow("it has child groups with controllers");
    } finally {
      stranger.kill("SIGKILL");
      await stranger.exited;
    }
  });

  test("a process that is gone cannot join", async () => {
    await using made = new TestLeaf();
    const child = Bun.spawn(["true"]);
    await child.exited;
    expect(() => made.leaf.addProcess(child.pid)).toThrow("no such process");
  });

  test("a v1 group with an empty cpuset says so", async () => {
    await using made = new TestLeaf();
    const folder = made.leaf.version("cpuset") === 1 ? made.leaf.folderOf("cpuset") : undefined;
    if (folder === undefined) return;
    mkdirSync(`${folder}/empty`);
    const bare = new Leaf({ cpuset: `${folder}/empty` });
    expect(() => bare.addProcess(process.pid)).toThrow("its cpuset has no CPUs or no memory nodes");
  });
});

describe("freezing", () => {
  const views = (made: TestLeaf) => {
    const unifiedOnly =
      made.leaf.unified === undefined ? undefined : new Leaf({ unified: made.leaf.unified });
    return [made.leaf, legacyView(made), unifiedOnly].filter((leaf) => leaf !== undefined);
  };

  test("stops every task and lets it go on, with each freezer that this machine has", async () => {
    await using made = new TestLeaf();
    const child = made.run("while :; do :; done");
    for (const leaf of views(made)) {
      expect(isFrozen(leaf)).toBe(false);
      await freeze(leaf);
      expect(isFrozen(leaf)).toBe(true);
      await freeze(leaf);
      expect(stateOf(child.pid)).not.toBe("R");
      await thaw(leaf);
      expect(isFrozen(leaf)).toBe(false);
      await settle(() => stateOf(child.pid) === "R");
    }
  });

  test("no freezer is an error that says what to use", async () => {
    expect(freeze(new Leaf({ pids: "/x" }))).rejects.toThrow("this machine has no cgroup freezer");
    expect(isFrozen(noLeaf)).toBe(false);
  });

  test("one that comes too late is taken back: frozen, or an error and not frozen", async () => {
    await using made = new TestLeaf();
    for (let i = 0; i < 10; i += 1) made.run("while :; do sleep 0.001; done");
    for (const leaf of views(made)) {
      const failed = await freeze(leaf, 0).then(
        () => false,
        (error) => error.code === "cgroup-freeze-timeout",
      );
      await settle(() => isFrozen(leaf) === !failed);
      await thaw(leaf);
      const aborted = await freeze(leaf, 1000, AbortSignal.abort()).then(
        () => false,
        (error) => error.name === "AbortError",
      );
      await settle(() => isFrozen(leaf) === !aborted);
      await thaw(leaf);
    }
  });
});

describe("killing", () => {
  test("every process, also while forking, and waits until none is left", async () => {
    await using made = new TestLeaf();
    made.run("while :; do (sleep 0.01 & sleep 60) & sleep 0.001; done");
    await settle(() => made.leaf.processes().length > 5);
    await killAll(made.leaf, 9);
    expect(await waitEmpty(made.leaf, 5000)).toBe(true);
    expect(made.leaf.processes()).toEqual([]);
  });

  test("a frozen container dies of SIGKILL and stays frozen at others", async () => {
    await using made = new TestLeaf();
    made.run("trap '' TERM; while :; do sleep 60; done");
    await settle(() => made.leaf.processes().length >= 2);
    await freeze(made.leaf);
    await killAll(made.leaf, 15);
    expect(isFrozen(made.leaf)).toBe(true);
    await killAll(made.leaf, 9);
    expect(await waitEmpty(made.leaf, 5000)).toBe(true);
  });

  test("other signals reach all: the trap of each shell runs", async () => {
    await using made = new TestLeaf();
    const child = made.run("trap 'echo got; exit 3' USR1; echo up; while :; do sleep 0.05; done");
    const reader = child.stdout.getReader();
    await reader.read();
    await killAll(made.leaf, 10);
    expect(await child.exited).toBe(3);
  });

  test("with v1 alone", async () => {
    await using made = new TestLeaf();
    const legacy = legacyView(made);
    if (legacy === undefined) return;
    made.run("while :; do (sleep 60) & sleep 0.001; done");
    await settle(() => legacy.processes().length > 5);
    expect(await waitEmpty(legacy, 20)).toBe(false);
    await killAll(legacy, 9);
    expect(await waitEmpty(legacy, 5000)).toBe(true);
  });

  test("without any freezer the members are gone through", async () => {
    await using made = new TestLeaf();
    const pids = made.leaf.version("pids") === 1 ? made.leaf.folderOf("pids") : undefined;
    if (pids === undefined) return;
    const bare = new Leaf({ pids });
    made.run(SLEEP);
    await settle(() => bare.processes().length === 3);
    await killAll(bare, 9);
    expect(await waitEmpty(bare, 5000)).toBe(true);
  });

  test("a leaf that was made or removed half-way is no obstacle", async () => {
    await using made = new TestLeaf();
    const freezer = made.leaf.version("freezer") === 1 ? made.leaf.folderOf("freezer") : undefined;
    const pids = made.leaf.folderOf("pids");
    if (freezer === undefined || pids === undefined) return;
    const half = new Leaf({ pids, freezer });
    rmdirSync(freezer);
    const child = Bun.spawn(["sleep", "60"]);
    writeFileSync(`${pids}/cgroup.procs`, String(child.pid));
    await killAll(half, 9);
    expect(await waitEmpty(half, 5000)).toBe(true);
    await child.exited;
    await removeLeaf(half);
    expect(half.exists()).toBe(false);
  });

  test("waiting ends at its time-out, at an abort, and at once where nobody is", async () => {
    await using made = new TestLeaf();
    expect(await waitEmpty(made.leaf, 0)).toBe(true);
    made.run(SLEEP);
    await settle(() => made.leaf.isPopulated());
    expect(await waitEmpty(made.leaf, 30)).toBe(false);
    expect(await waitEmpty(made.leaf, 60_000, AbortSignal.timeout(30))).toBe(false);
  });
});

describe("room for LXC", () => {
  test("an empty leaf is taken away, with what is below it; a missing one is fine", async () => {
    await using made = new TestLeaf();
    mkdirSync(`${made.leaf.membership}/below`);
    prepareLeaf(made.layout, made.leaf);
    expect(made.leaf.exists()).toBe(false);
    prepareLeaf(made.layout, made.leaf);
    for (const folder of folders(made.leaf)) mkdirSync(folder);
  });

  test("a populated one is refused with runc's words, and nothing is touched", async () => {
    await using made = new TestLeaf();
    made.run(SLEEP);
    await settle(() => made.leaf.processes().length === 3);
    expect(() => prepareLeaf(made.layout, made.leaf)).toThrow(
      "container's cgroup is not empty: 3 process(es) found",
    );
    expect(folders(made.leaf).every(existsSync)).toBe(true);
  });

  test("a leaf that is named like a control file is refused", () => {
    withV2Root((layout, root) => {
      const leaf = new Leaf({ unified: `${root}/cgroup.procs` });
      expect(() => prepareLeaf(layout, leaf)).toThrow("is a control file, not a group");
    });
  });

  test("v2 parents are made and delegate all controllers; a parent with processes says why not", async () => {
    await using made = new TestLeaf();
    const v2 = made.layout.hierarchies.find((h) => h.version === 2);
    if (v2 === undefined || made.leaf.unified === undefined || v2.controllers.length === 0) return;
    const deep = new Leaf({ unified: `${made.leaf.unified}/a/b/leaf` });
    prepareLeaf(made.layout, deep);
    const enabled = readFileSync(`${made.leaf.unified}/a/b/cgroup.subtree_control`, "utf8").trim().split(" ");
    expect(enabled.sort()).toEqual([...v2.controllers].sort());
    expect(deep.exists()).toBe(false);

    await using busy = new TestLeaf();
    busy.run(SLEEP);
    const below = new Leaf({ unified: `${busy.leaf.unified}/leaf` });
    expect(() => prepareLeaf(busy.layout, below)).toThrow("it holds processes itself");

    writeFileSync(
      `${deep.unified?.replace("/leaf", "")}/cgroup.subtree_control`,
      v2.controllers.map((c) => `-${c}`).join(" "),
    );
    mkdirSync(`${made.leaf.unified}/a/b/threads`);
    writeFileSync(`${made.leaf.unified}/a/b/threads/cgroup.type`, "threaded");
    const threaded = new Leaf({ unified: `${made.leaf.unified}/a/b/threads/leaf` });
    expect(() => prepareLeaf(made.layout, threaded)).toThrow("containers need a domain group");
  });
});

/** The v2 root of this machine, where it has one. */
function withV2Root(body: (layout: TestLeaf["layout"], root: string) => void): void {
  const made = new TestLeaf();
  try {
    const v2 = made.layout.hierarchies.find((h) => h.version === 2);
    if (v2 !== undefined) body(made.layout, v2.root);
  } finally {
    for (const folder of folders(made.leaf)) rmdirSync(folder);
  }
}

describe("removal", () => {
  test("everywhere, children first; twice is fine", async () => {
    await using made = new TestLeaf();
    for (const folder of folders(made.leaf)) mkdirSync(`${folder}/a/b`, { recursive: true });
    await removeLeaf(made.leaf);
    expect(made.leaf.exists()).toBe(false);
    await removeLeaf(made.leaf);
  });

  test("waits for those on their way out, and names those that stay", async () => {
    await using made = new TestLeaf();
    made.run(SLEEP);
    await settle(() => made.leaf.processes().length === 3);
    const failed = await removeLeaf(made.leaf, 30).then(() => "removed", messageOf);
    expect(failed).toContain("3 process(es) are in it");
    const removal = removeLeaf(made.leaf, 5000);
    await killAll(made.leaf, 9);
    await removal;
    expect(made.leaf.exists()).toBe(false);
  });
});

test("delegation gives the v2 leaf and its listed files to the container's root, v1 to nobody", async () => {
  await using made = new TestLeaf();
  const { leaf } = made;
  delegateLeaf(leaf, 100_000, 100_001);
  if (made.layout.mode !== "unified") {
    for (const folder of folders(leaf)) expect(statSync(folder).uid).toBe(0);
  }
  if (leaf.unified === undefined) return;
  delegateLeaf(new Leaf({ unified: leaf.unified }), 100_000, 100_001);
  const owner = (path: string) => [statSync(path).uid, statSync(path).gid];
  for (const name of ["", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"]) {
    expect(owner(`${leaf.unified}${name}`)).toEqual([100_000, 100_001]);
  }
  expect(owner(`${leaf.unified}/cgroup.max.depth`)).toEqual([0, 0]);
  delegateLeaf(new Leaf({ pids: "/nowhere" }), 1, 1);
});
