/** For the tests of this folder: a root and a bundle of their own, and everything of ours that the machine shows of them. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { isMissing } from "../../../src/host/errors.ts";
import type { Config } from "../../../src/spec/config.ts";
import { defaultConfig } from "../../../src/spec/default-config.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";

/** What a command did. */
export interface Outcome {
  /** 128 + signal where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How {@link Playground.command} runs a program. */
export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** ms until the test fails over a command that hangs; default 20,000. */
  readonly timeout?: number;
}

const applets = [
  "sh",
  "true",
  "sleep",
  "cat",
  "ls",
  "id",
  "env",
  "readlink",
  "mount",
  "stat",
  "grep",
  "echo",
  "nice",
];

/** Host ids that the container's ids of {@link Playground.unprivileged} map to. */
const MAPPED = 300_000;

/** A root, a bundle `bundle/` with busybox, and a word in every path and name that is in no other. */
export class Playground implements AsyncDisposable {
  readonly folder = mkdtempSync("/var/tmp/lxcri-faults-");
  readonly word = basename(this.folder);
  readonly bundle = `${this.folder}/bundle`;
  readonly rootfs = `${this.bundle}/rootfs`;
  root = `${this.folder}/root`;
  #commands = 0;

  constructor() {
    chmodSync(this.folder, 0o755);
    for (const name of ["bin", "dev", "proc", "sys", "tmp", "etc"]) {
      mkdirSync(`${this.rootfs}/${name}`, { recursive: true, mode: 0o755 });
    }
    copyFileSync("/bin/busybox", `${this.rootfs}/bin/busybox`);
    for (const name of applets) symlinkSync("busybox", `${this.rootfs}/bin/${name}`);
    this.configure(() => {});
  }

  /** An id that only this playground has: names of groups hold it. */
  id(name: string): string {
    return `${this.word}-${name}`;
  }

  /** Writes the bundle's config: `sleep 1000` without a terminal, changed by `change`. */
  configure(change: (config: Config) => unknown): void {
    const config = structuredClone(defaultConfig());
    Object.assign(config.process, { terminal: false, args: ["sleep", "1000"] });
    change(config);
    writeFileSync(`${this.bundle}/config.json`, JSON.stringify(config));
  }

  /** Makes the config's container an unprivileged one, with a filter and a hook of each kind of place. */
  unprivileged(config: Config): void {
    const map = [{ containerID: 0, hostID: MAPPED, size: 65_536 }];
    const hook = [{ path: "/bin/true" }];
    const linux = config.linux ?? {};
    Object.assign(config, {
      hooks: {
        prestart: hook,
        createRuntime: hook,
        createContainer: hook,
        startContainer: hook,
        poststart: hook,
        poststop: hook,
      },
      linux: {
        ...linux,
        namespaces: [...(linux.namespaces ?? []), { type: "user" }],
        uidMappings: map,
        gidMappings: map,
        seccomp: {
          defaultAction: "SCMP_ACT_ALLOW",
          syscalls: [{ names: ["reboot"], action: "SCMP_ACT_ERRNO" }],
        },
      },
    });
    chownSync(this.rootfs, MAPPED, MAPPED);
  }

  /** Runs a program; its output goes to files, as a container holds it open for longer than the program lives. */
  async command(argv: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
    this.#commands += 1;
    const output = `${this.folder}/output-${this.#commands}`;
    const child = Bun.spawn([...argv], {
      stdin: "ignore",
      stdout: Bun.file(`${output}.out`),
      stderr: Bun.file(`${output}.err`),
      cwd: options.cwd ?? this.bundle,
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
      timeout: options.timeout ?? 20_000,
      killSignal: "SIGTERM",
    });
    await child.exited;
    const read = (name: string): string => {
      const text = readFileSync(name, "utf8");
      rmSync(name);
      return text;
    };
    const outcome = { stdout: read(`${output}.out`), stderr: read(`${output}.err`) };
    if (child.signalCode === "SIGTERM")
      throw new Error(`${argv.join(" ")}: hangs; it said ${JSON.stringify(outcome)}`);
    return { code: child.exitCode ?? 137, ...outcome };
  }

  /** Argument vector of the runtime with this playground's root. */
  argv(...args: readonly string[]): readonly string[] {
    return [runtimeUnderTest, "--root", this.root, ...args];
  }

  /** Runs the runtime in the bundle. */
  runtime(...args: readonly string[]): Promise<Outcome> {
    return this.command(this.argv(...args));
  }

  /** Runs the runtime, which must succeed; its standard output. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.runtime(...args);
    if (code !== 0) throw new Error(`${args.join(" ")}: exit code ${code}: ${stderr}`);
    return stdout;
  }

  /** Mounts, groups, processes and files that should not be there when no container is. */
  leftovers(): string[] {
    const mounts = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(`${this.word}/`) && !line.includes(` ${this.root} `));
    return [
      ...mounts.map((line) => `mount ${line}`),
      ...this.#groups("/sys/fs/cgroup").map((path) => `group ${path}`),
      ...this.#processes(),
      ...filesBelow(this.root)
        .filter((path) => !/^(runtime\/events\.log|seccomp\/[\w-]+(\.\w+)?)$/.test(path))
        .map((path) => `file ${path}`),
    ];
  }

  /** {@link leftovers} once processes that are on their way out have gone. */
  async settled(): Promise<string[]> {
    let left = this.leftovers();
    for (let waits = 0; waits < 100 && left.length > 0; waits += 1) {
      await Bun.sleep(20);
      left = this.leftovers();
    }
    return left;
  }

  /** Groups whose name has the word. */
  #groups(folder: string, depth = 0): string[] {
    return names(folder).flatMap((name) => {
      const path = `${folder}/${name}`;
      if (name.includes(this.word)) return [path];
      return depth < 2 && !name.includes(".") ? this.#groups(path, depth + 1) : [];
    });
  }

  /** Who has no arguments left has no memory left: it has ended, and waits for its parent or its namespace. */
  #processes(): string[] {
    return readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
      .flatMap((pid) => {
        const args = text(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
        const shown = [args, text(`/proc/${pid}/cgroup`), link(`/proc/${pid}/cwd`)];
        const ours = args !== "" && shown.some((one) => one.includes(this.word));
        return ours ? [`process ${pid} ${args}`] : [];
      });
  }

  /** Ends what a failed test left, and removes the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of names(`${this.root}/containers`)) await this.runtime("delete", "--force", id);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Paths, from `folder`, of all that are no folders. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory() || entry.parentPath.endsWith("/containers"))
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Content of a file of a process, "" where that has gone. */
function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
