/** For tests: containers made by hand, of real processes, FIFOs and cgroups, without LXC. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { planGroups } from "../cgroups/group-path.ts";
import { detectLayout } from "../cgroups/hierarchy.ts";
import { Leaf } from "../cgroups/leaf.ts";
import { mkfifo } from "../host/libc.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Logger } from "../telemetry/log.ts";
import type { CgroupRecord } from "./cgroup-record.ts";
import { removeGroups } from "./leaf.ts";
import type { ContainerRecord } from "./record.ts";
import { ContainerStore, identify } from "./store.ts";

/** What {@link TestContainers.make} makes; all of it by default. */
export interface MakeOptions {
  /** The init program. */
  readonly argv?: readonly string[];
  /** Its init holds the start FIFO: created, not running. */
  readonly waits?: boolean;
  readonly cgroup?: boolean;
  readonly record?: Partial<ContainerRecord>;
}

/** A container made by hand. */
export interface MadeContainer {
  readonly record: ContainerRecord;
  readonly init: Bun.Subprocess;
  readonly leaf: Leaf | undefined;
}

/** A root with containers; ends everything it began. */
export class TestContainers implements AsyncDisposable {
  readonly root = mkdtempSync(`${tmpdir()}/lxcri-test-`);
  readonly store = ContainerStore.open(this.root);
  /** What was logged, as `level: message`. */
  readonly logged: string[] = [];
  readonly log: Logger = {
    path: undefined,
    format: "text",
    error: (message) => this.logged.push(`error: ${message}`),
    warning: (message) => this.logged.push(`warning: ${message}`),
    debug: () => {},
  };
  readonly #made: MadeContainer[] = [];

  /** A record with a process behind it, in a cgroup of its own. */
  make(id: string, options: MakeOptions = {}): MadeContainer {
    const name = parseContainerId(id);
    const cgroup = options.cgroup === false ? undefined : testGroups(id);
    const fifo = this.store.startFifoPath(id);
    const argv = options.argv ?? ["sleep", "1000"];
    const record: ContainerRecord = {
      ociVersion: "1.3.0",
      id: name,
      bundle: `${this.root}/bundle`,
      rootfs: `${this.root}/bundle/rootfs`,
      created: "2026-01-02T03:04:05.678Z",
      phase: "created",
      creator: { pid: 1, startTime: 0 },
      ...(cgroup === undefined ? {} : { cgroup }),
      cgroupManager: cgroup === undefined ? "disabled" : "cgroupfs",
      annotations: { "org.example": "yes" },
      owner: "root",
      ...options.record,
    };
    mkdirSync(record.rootfs, { recursive: true });
    this.store.create(id, record);
    if (options.waits === true) mkfifo(fifo, 0o600);
    // It waits for its groups, so that no child of it is born outside them; then it opens the FIFO as the stage does.
    const script = `read -r go; ${options.waits === true ? 'exec 3<>"$0"; ' : ""}exec "$@" </dev/null`;
    const init = Bun.spawn(["sh", "-c", script, fifo, ...argv], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "ignore",
    });
    const leaf = record.cgroup === undefined ? undefined : new Leaf(record.cgroup.leaves);
    for (const folder of Object.values(leaf?.folders ?? {})) {
      mkdirSync(folder, { recursive: true });
    }
    leaf?.addProcess(init.pid);
    init.stdin.write("go\n");
    init.stdin.end();
    const identity = identify(init.pid);
    const complete =
      identity === undefined || "init" in (options.record ?? {}) ? record : { ...record, init: identity };
    this.store.save(complete);
    const made = { record: complete, init, leaf };
    this.#made.push(made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { init, record } of this.#made) {
      init.kill("SIGKILL");
      await init.exited;
      await removeGroups(record);
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Hierarchies that a test needs: those whose new groups take a process as they are. */
const hierarchies = new Set(["unified", "freezer", "memory", "pids"]);

function testGroups(id: string): CgroupRecord {
  const plan = planGroups(detectLayout(), {
    id: `lxcri-test-${process.pid}-${id}`,
    driver: "cgroupfs",
    cgroupsPath: `/lxcri-test-${process.pid}-${id}`,
  });
  const some = (folders: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(folders).filter(([key]) => hierarchies.has(key)));
  return { ...plan, leaves: some(plan.leaves), monitors: some(plan.monitors) };
}
