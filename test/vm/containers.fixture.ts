/** For the VM's tests: containers of the built program, each with a bundle on busybox and its output in a file. */
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type RunResult, run } from "../../src/host/process.ts";
import type { Config, Linux, Process } from "../../src/spec/config.ts";
import { makeBundle } from "../bench/runtime-bundle.ts";
import { leftovers } from "../conformance/engine.ts";

const program = resolve(import.meta.dir, "../../dist/proxmox-lxcri");
const groupRoot = "/sys/fs/cgroup";

/** What a container's config has beside the benchmark's; lists take the place of the benchmark's. */
export interface BundleChange {
  readonly process?: Partial<Process>;
  readonly linux?: Partial<Linux>;
  readonly hooks?: Config["hooks"];
  readonly annotations?: Config["annotations"];
  /** Added to the benchmark's. */
  readonly mounts?: Config["mounts"];
  /** Content by path below the root file system. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Containers of one test file. Dispose of it at the end. */
export class VmContainers {
  readonly folder = mkdtempSync("/var/tmp/lxcri-vm-");
  readonly #globals: readonly string[];
  readonly #ids: string[] = [];

  /** @param globals flags of every command */
  constructor(...globals: readonly string[]) {
    this.#globals = globals;
    // The mapped root of a container has to pass.
    chmodSync(this.folder, 0o711);
  }

  /** The command line of a command. */
  argv(...args: readonly string[]): string[] {
    return [program, "--root", join(this.folder, "state"), ...this.#globals, ...args];
  }

  /** Runs a command to its end. */
  run(...args: readonly string[]): Promise<RunResult> {
    return run(this.argv(...args));
  }

  /** Its standard output. @throws where it fails */
  async ok(...args: readonly string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await this.run(...args);
    if (exitCode !== 0) throw new Error(`${args.join(" ")}: status ${exitCode}: ${stderr}`);
    return stdout;
  }

  /** Makes the bundle of container `id`; returns its folder. */
  bundle(id: string, args: readonly string[], change: BundleChange = {}): string {
    const path = join(this.folder, id);
    makeBundle(path, { args });
    const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
    Object.assign(config.process, change.process);
    Object.assign(config.linux, change.linux);
    config.mounts.push(...(change.mounts ?? []));
    const { hooks, annotations } = change;
    writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, hooks, annotations }));
    for (const [file, text] of Object.entries(change.files ?? {})) {
      writeFileSync(join(path, "rootfs", file), text, { mode: 0o755 });
    }
    return path;
  }

  /** `run`: a container in the foreground, gone afterwards. */
  foreground(id: string, args: readonly string[], change: BundleChange = {}): Promise<RunResult> {
    return this.run("run", "--bundle", this.bundle(id, args, change), id);
  }

  /** `create`. Its output goes to a file, as the container keeps it. @returns exit code and standard error */
  async create(id: string, args: readonly string[], change: BundleChange = {}): Promise<string> {
    const path = this.bundle(id, args, change);
    const output = openSync(join(this.folder, `${id}.out`), "w");
    const argv = this.argv("create", "--bundle", path, "--pid-file", join(this.folder, `${id}.pid`), id);
    this.#ids.push(id);
    try {
      const created = Bun.spawn(argv, { stdio: ["ignore", output, output], timeout: 60_000 });
      return (await created.exited) === 0 ? "" : this.output(id);
    } finally {
      closeSync(output);
    }
  }

  /** `create` and `start`. @throws where one fails */
  async start(id: string, args: readonly string[], change: BundleChange = {}): Promise<void> {
    const failure = await this.create(id, args, change);
    if (failure !== "") throw new Error(failure);
    await this.ok("start", id);
  }

  /** What the container has printed. */
  output(id: string): string {
    return readFileSync(join(this.folder, `${id}.out`), "utf8");
  }

  /** Its init on the host. */
  pid(id: string): number {
    return Number(readFileSync(join(this.folder, `${id}.pid`), "utf8"));
  }

  /** Its init's group, absolute. */
  group(id: string): string {
    return (
      groupRoot +
      readFileSync(`/proc/${this.pid(id)}/cgroup`, "utf8")
        .trim()
        .slice("0::".length)
    );
  }

  /** Removes it; what is left of it. */
  async remove(id: string): Promise<readonly string[]> {
    await this.ok("delete", "--force", id);
    return leftovers(id);
  }

  async dispose(): Promise<void> {
    for (const id of this.#ids) await this.run("delete", "--force", id);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Content of a control file, trimmed. */
export const control = (group: string, file: string): string =>
  readFileSync(join(group, file), "utf8").trim();

/** Namespaces of an unprivileged container, its ids, and a control group file system of its own. */
export const unprivileged: BundleChange & { readonly linux: Partial<Linux> } = {
  linux: {
    namespaces: (["pid", "ipc", "uts", "mount", "network", "cgroup", "user"] as const).map((type) => ({
      type,
    })),
    uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
  },
  mounts: [
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["nosuid", "noexec", "nodev", "relatime"],
    },
  ],
};
