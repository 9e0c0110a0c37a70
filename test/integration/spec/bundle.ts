/** For tests of the runtime as a program: a bundle with a busybox root file system, and what is left of it after. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunResult, run } from "../../../src/host/process.ts";
import type { Capabilities, Config, Linux, Mount, Process } from "../../../src/spec/config.ts";
import { defaultConfig } from "../../../src/spec/default-config.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";

/** What a test changes of the default config; `extra` replaces top-level properties. */
export interface Change {
  /** A shell script, in place of args. */
  readonly script?: string;
  readonly process?: Partial<Process>;
  readonly linux?: Partial<Linux>;
  /** Added after the default ones. */
  readonly mounts?: readonly Mount[];
  /** Namespaces by type: `null` takes one away, a path joins one, "" makes one. */
  readonly namespaces?: Readonly<Record<string, string | null>>;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** All five sets with the same names. */
export const capabilities = (...names: readonly string[]): Capabilities => ({
  bounding: names,
  effective: names,
  permitted: names,
  inheritable: names,
  ambient: names,
});

/** Folders of a root file system. */
const folders = ["bin", "dev", "etc", "proc", "sys", "tmp", "root", "mnt"] as const;

let applets: readonly string[] | undefined;

/** Makes a root file system of Debian's busybox-static. */
export async function makeRootfs(path: string): Promise<void> {
  for (const folder of folders) mkdirSync(join(path, folder), { recursive: true });
  await Bun.write(join(path, "bin/busybox"), Bun.file("/bin/busybox"));
  await run(["chmod", "755", join(path, "bin/busybox")]);
  applets ??= (await run(["/bin/busybox", "--list"])).stdout
    .split("\n")
    .filter((name) => name && name !== "busybox");
  for (const name of applets) symlinkSync("busybox", join(path, "bin", name));
  writeFileSync(join(path, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
}

/** A bundle of its own, with a `--root` of its own. */
export class TestBundle implements AsyncDisposable {
  /** Holds all of it; only in here the test writes. */
  readonly folder = mkdtempSync(join(tmpdir(), "lxcri-spec-"));
  readonly path = join(this.folder, "bundle");
  readonly rootfs = join(this.path, "rootfs");
  readonly root = join(this.folder, "state");
  readonly id = `spec-${process.pid}-${this.folder.slice(-6)}`;

  static async make(): Promise<TestBundle> {
    const bundle = new TestBundle();
    await makeRootfs(bundle.rootfs);
    // With a user namespace LXC wants its own folder, below --root, within reach of the mapped root.
    chmodSync(bundle.folder, 0o711);
    return bundle;
  }

  /** Writes config.json: the default one, without terminal, changed. */
  configure(change: Change): void {
    const base = defaultConfig();
    const linux = base.linux ?? {};
    const kept = (linux.namespaces ?? []).filter(({ type }) => change.namespaces?.[type] === undefined);
    const chosen = Object.entries(change.namespaces ?? {}).flatMap(([type, path]) =>
      path === null ? [] : [path === "" ? { type } : { type, path }],
    );
    const args = change.script === undefined ? {} : { args: ["/bin/sh", "-c", change.script] };
    const config = {
      ...base,
      root: { path: "rootfs" },
      process: { ...base.process, terminal: false, ...args, ...change.process },
      mounts: [...(base.mounts ?? []), ...(change.mounts ?? [])],
      linux: { ...linux, namespaces: [...kept, ...chosen], ...change.linux },
      ...change.extra,
    };
    this.write(JSON.stringify(config));
  }

  /** Writes config.json as it is given. */
  write(text: string): void {
    mkdirSync(this.path, { recursive: true });
    writeFileSync(join(this.path, "config.json"), text);
  }

  /** The config as written. */
  config(): Config {
    return JSON.parse(readFileSync(join(this.path, "config.json"), "utf8")) as Config;
  }

  /** The runtime with these arguments; output through files, since a container keeps create's open. */
  async cli(...args: readonly string[]): Promise<RunResult> {
    const out = join(this.folder, `out-${crypto.randomUUID()}`);
    const child = Bun.spawn([runtimeUnderTest, "--root", this.root, ...args], {
      stdin: "ignore",
      stdout: Bun.file(`${out}.1`),
      stderr: Bun.file(`${out}.2`),
      timeout: 30_000,
      killSignal: "SIGKILL",
    });
    const exitCode = await child.exited;
    return { exitCode, stdout: readFileSync(`${out}.1`, "utf8"), stderr: readFileSync(`${out}.2`, "utf8") };
  }

  /** Runs a container in the foreground to its end. */
  async run(change: Change): Promise<RunResult> {
    this.configure(change);
    return await this.cli("run", "--bundle", this.path, this.id);
  }

  /** Like {@link run}; fails with the runtime's words unless the exit code is 0. Returns the trimmed output. */
  async output(change: Change): Promise<string> {
    const { stdout, stderr, exitCode } = await this.run(change);
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** Creates; fails with the runtime's words. Returns init's pid. */
  async create(change: Change): Promise<number> {
    this.configure(change);
    await this.ok("create", "--bundle", this.path, this.id);
    return (JSON.parse(await this.ok("state", this.id)) as { pid: number }).pid;
  }

  /** Creates and starts. Returns init's pid. */
  async start(change: Change): Promise<number> {
    const pid = await this.create(change);
    await this.ok("start", this.id);
    return pid;
  }

  /** A command that has to succeed; its output. */
  async ok(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.cli(...args);
    if (exitCode !== 0) throw new Error(`${args[0]}: exit code ${exitCode}: ${stderr}`);
    return stdout;
  }

  /** What exists of the container, once it is deleted or was refused. What is ending is given a second for it. */
  async leftovers(): Promise<readonly string[]> {
    for (let i = 0; i < 20; i += 1) {
      if ((await this.remains()).length === 0) return [];
      await Bun.sleep(50);
    }
    return await this.remains();
  }

  /** Mounts, cgroups, records and processes that name it. */
  private async remains(): Promise<readonly string[]> {
    const mounts = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path.startsWith(this.folder));
    const groups = (await run(["find", "/sys/fs/cgroup", "-type", "d", "-name", `*${this.id}*`])).stdout;
    const records = ["containers", "locks"].flatMap((name) => {
      try {
        return readdirSync(join(this.root, name)).map((entry) => `${name}/${entry}`);
      } catch {
        return [];
      }
    });
    const processes = (await run(["pgrep", "--list-full", "--full", this.folder])).stdout;
    return [...mounts, ...groups.split("\n"), ...records, ...processes.split("\n")].filter(Boolean);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cli("delete", "--force", this.id);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
