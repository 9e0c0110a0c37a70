/** For tests of `launch`: a root and a data root of their own, the built program, and what may be left behind. */
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type RunOptions, type RunResult, run } from "../../src/host/process.ts";

const program = resolve(process.env.RUNTIME ?? resolve(import.meta.dir, "../../dist/proxmox-lxcri"));

/** One test file's world. Dispose of it at the end. */
export class LaunchWorld {
  /** On a disk: overlayfs cannot lie on itself. */
  readonly folder = mkdtempSync("/var/tmp/lxcri-launch-");
  /** Begins the names of this world's containers. */
  readonly prefix = `l${process.pid}-`;
  readonly argv: readonly string[];

  constructor() {
    this.argv = [program, "--root", this.at("root"), "--data-root", this.at("data")];
    // The mapped root of a container has to pass.
    chmodSync(this.folder, 0o711);
  }

  at(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** The program, to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run([...this.argv, ...args], { timeout: 30_000, ...options });
  }

  /** Its standard output. @throws where it fails */
  async ok(...args: readonly string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await this.run(args);
    if (exitCode !== 0) throw new Error(`${args.join(" ")}: status ${exitCode}: ${stderr}`);
    return stdout;
  }

  /** Mounts, control groups, processes, records of a container; none when it is gone. */
  async leftovers(name: string): Promise<readonly string[]> {
    const mounts = (await Bun.file("/proc/self/mountinfo").text())
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path.includes(name));
    const groups = await run(["find", "/sys/fs/cgroup", "-type", "d", "-name", `*${name}*`]);
    const processes = await run(["ps", "-eo", "pid=,args="]);
    return [
      ...mounts,
      ...groups.stdout.split("\n").filter(Boolean),
      ...processes.stdout.split("\n").filter((line) => line.includes("conmon") && line.includes(name)),
      ...this.#names("data/containers", name),
      ...this.#names("data/locks", name),
      ...this.#names("root/containers", name),
      ...this.#names("root/locks", name),
    ];
  }

  #names(folder: string, name: string): string[] {
    try {
      return readdirSync(this.at(folder))
        .filter((each) => each.includes(name))
        .map((each) => `${folder}/${each}`);
    } catch {
      return [];
    }
  }

  /** Removes all containers of this world. */
  async dispose(): Promise<void> {
    const listed = await this.run(["list", "--quiet"]);
    const names = listed.stdout.split("\n").filter(Boolean);
    if (names.length > 0) await this.run(["rm", "--force", "--volumes", ...names]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until `done` holds, 10 s at most. */
export async function eventually(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 10 s`);
    await Bun.sleep(20);
  }
}
