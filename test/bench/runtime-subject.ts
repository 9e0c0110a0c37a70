/** One OCI runtime under measurement: its command line and the samples taken of it. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { call, PR_SET_CHILD_SUBREAPER, prctl } from "../../src/host/libc.ts";
import { makeBundle } from "./runtime-bundle.ts";

/** What can be sampled. All in ms but `memory`, in KiB. */
export const sampleKinds = ["lifecycle", "exec", "state", "memory"] as const;
export type SampleKind = (typeof sampleKinds)[number];

/** A runtime with a bundle of `/bin/true`, and a container that keeps running for `exec` and `state`. */
export class RuntimeSubject {
  readonly #program: string;
  readonly #folder: string;
  #count = 0;

  /** @param program path of the runtime @param folder a fresh folder; all state is kept in it */
  constructor(program: string, folder: string) {
    this.#program = program;
    this.#folder = folder;
    // As for conmon and the shim: the container's init becomes our child, so that its end can be waited for.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    mkdirSync(folder, { recursive: true });
    makeBundle(join(folder, "true"), { args: ["/bin/true"] });
    makeBundle(join(folder, "sleep"), { args: ["/bin/sleep", "100000"] });
    this.#run("create", "--bundle", join(folder, "sleep"), this.#id("kept"));
    this.#run("start", this.#id("kept"));
  }

  /** Takes one sample. */
  sample(kind: SampleKind): Promise<number> | number {
    switch (kind) {
      case "lifecycle":
        return this.#lifecycle();
      case "exec":
        return timed(() => this.#run("exec", this.#id("kept"), "/bin/true"));
      case "state":
        return timed(() => this.#run("state", this.#id("kept")));
      case "memory":
        return this.#memory();
    }
  }

  /** Ends the running container and removes every file. */
  close(): void {
    this.#run("delete", "--force", this.#id("kept"));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #id(name: string): string {
    return `bench-${process.pid}-${basename(this.#folder)}-${name}`;
  }

  #run(command: string, ...args: readonly string[]): void {
    const root = join(this.#folder, "state");
    const { exitCode } = Bun.spawnSync([this.#program, "--root", root, command, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (exitCode !== 0) throw new Error(`${this.#program} ${command} ended with status ${exitCode}`);
  }

  /** create, start, the program's end, delete. */
  #lifecycle(): number {
    this.#count += 1;
    const id = this.#id(`l${this.#count}`);
    const pidFile = join(this.#folder, "pid");
    return timed(() => {
      this.#run("create", "--bundle", join(this.#folder, "true"), "--pid-file", pidFile, id);
      const pid = Number(readFileSync(pidFile, "utf8"));
      this.#run("start", id);
      call("waitpid", [pid, null, 0], String(pid));
      this.#run("delete", id);
    });
  }

  /** PSS of all processes that a container under conmon needs beyond its own, in KiB. */
  async #memory(): Promise<number> {
    this.#count += 1;
    const id = this.#id(`m${this.#count}`);
    const at = (name: string): string => join(this.#folder, `${id}.${name}`);
    const { exitCode } = Bun.spawnSync(
      [
        ...["conmon", "--cid", id, "--cuuid", id, "--name", id, "--runtime", this.#program],
        ...[
          "--runtime-arg",
          `--root=${join(this.#folder, "state")}`,
          "--bundle",
          join(this.#folder, "sleep"),
        ],
        ...["--container-pidfile", at("pid"), "--conmon-pidfile", at("conmon")],
        ...["--log-path", `k8s-file:${at("log")}`, "--exit-dir", this.#folder],
        ...["--socket-dir-path", this.#folder],
      ],
      { stdio: ["ignore", "ignore", "inherit"], cwd: this.#folder },
    );
    if (exitCode !== 0) throw new Error(`conmon ended with status ${exitCode}`);
    const conmon = Number(readFileSync(at("conmon"), "utf8"));
    try {
      await until(() => existsSync(at("pid")));
      this.#run("start", id);
      const inside = descendants(Number(readFileSync(at("pid"), "utf8")));
      const helpers = [...descendants(conmon)].filter((pid) => !inside.has(pid));
      return helpers.reduce((sum, pid) => sum + pss(pid), 0);
    } finally {
      this.#run("delete", "--force", id);
      call("waitpid", [conmon, null, 0], String(conmon));
    }
  }
}

function timed(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > deadline) throw new Error("conmon made no container within 10 s");
    await Bun.sleep(5);
  }
}

/** `pid` and all processes below it. */
function descendants(pid: number): ReadonlySet<number> {
  const found = new Set([pid]);
  for (const each of found) {
    const children = readFileSync(`/proc/${each}/task/${each}/children`, "utf8").split(" ").filter(Boolean);
    for (const child of children) found.add(Number(child));
  }
  return found;
}

/** Proportional set size of a process, KiB. */
function pss(pid: number): number {
  let rollup: string;
  try {
    rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  } catch {
    return 0; // ended since it was listed
  }
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]);
}
