/**
 * conmon, the supervisor that Debian ships: it runs us as its OCI runtime, then stays with the container and keeps
 * its log, its attach socket and its exit code. Here: starting it, and what it leaves in the bundle.
 */
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  read,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { errnoOf, isMissing, LxcriError } from "../../host/errors.ts";
import { IN_CLOSE_WRITE, IN_CREATE, Watch } from "../../host/inotify.ts";
import { call, flock, LOCK_EX, LOCK_NB } from "../../host/libc.ts";
import type { CgroupManager } from "../cgroup-record.ts";
import type { ProcessIdentity } from "../record.ts";
import { isAlive } from "../status.ts";
import { identify } from "../store.ts";

/** What conmon is told. */
export interface ConmonPlan {
  /** Our own executable: conmon's runtime, and its exit command. */
  readonly program: string;
  readonly id: string;
  /** Absolute; holds config.json. */
  readonly bundle: string;
  readonly log: string;
  /** Our `--root`. */
  readonly root: string;
  readonly cgroupManager: CgroupManager;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** Standard input stays open when a client goes. */
  readonly keepStdin: boolean;
  /** Arguments for our own program, to be called when the container has ended. */
  readonly exitCommand?: readonly string[];
}

/** ms for a container to be created. */
const CREATE_TIMEOUT = 120_000;
const O_CLOEXEC = 0o2000000;
const IN_MOVED_TO = 0x80;
/** conmon's death is not told to us: look now and then; ms. */
const RECHECK_MS = 5_000;
/** Held by conmon. */
const LOCK = "conmon.lock";
const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Our own executable, for programs that are to call us. */
export const ownProgram = (): string => realpathSync("/proc/self/exe");

/** conmon's arguments. Pure. */
export function conmonArguments(plan: ConmonPlan): string[] {
  const { program, id, bundle } = plan;
  const flag = (given: boolean, name: string): string[] => (given ? [name] : []);
  return [
    ...["conmon", "--cid", id, "--cuuid", id, "--name", id, "--bundle", bundle, "--runtime", program],
    ...["--runtime-arg", `--root=${plan.root}`, "--runtime-arg", `--cgroup-manager=${plan.cgroupManager}`],
    ...["--persist-dir", bundle, "--socket-dir-path", bundle, "--log-path", `k8s-file:${plan.log}`],
    ...["--container-pidfile", join(bundle, "pid"), "--conmon-pidfile", join(bundle, "conmon.pid")],
    ...flag(plan.terminal, "--terminal"),
    ...flag(plan.stdin, "--stdin"),
    ...flag(plan.keepStdin, "--leave-stdin-open"),
    ...(plan.exitCommand === undefined ? [] : ["--exit-command", program]),
    ...(plan.exitCommand ?? []).flatMap((argument) => ["--exit-command-arg", argument]),
  ];
}

/**
 * Has conmon create the container; it waits for its start then. Returns conmon's identity.
 * @throws LxcriError `conmon-missing`, `create-failed` with the runtime's own words
 */
export async function createUnderConmon(plan: ConmonPlan): Promise<ProcessIdentity> {
  for (const name of ["exit", "oom", "conmon.pid", "pid"]) rmSync(join(plan.bundle, name), { force: true });
  const ends = new Int32Array(2);
  call("pipe2", [ends, O_CLOEXEC]);
  const [reader = -1, writer = -1] = ends;
  try {
    const child = spawnConmon(plan, writer);
    const line = await readLine(reader, CREATE_TIMEOUT);
    await child.exited;
    checkAnswer(plan.id, line);
  } catch (error) {
    const conmon = conmonOf(plan.bundle);
    if (conmon !== undefined) signalIfAlive(conmon);
    if (!isMissing(error)) throw error;
    throw new LxcriError("conmon-missing", "conmon: program not found", {
      cause: error,
      fix: "Install it: apt-get install conmon",
    });
  } finally {
    closeSync(reader);
  }
  const conmon = conmonOf(plan.bundle);
  if (conmon === undefined) throw new LxcriError("create-failed", `container ${plan.id}: conmon has ended`);
  return conmon;
}

/** @param writer the pipe for its answer; closed here */
function spawnConmon(plan: ConmonPlan, writer: number): Bun.Subprocess {
  // conmon keeps what it inherits: it holds this lock as long as it lives.
  const lock = openSync(join(plan.bundle, LOCK), constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    flock(lock, LOCK_EX | LOCK_NB);
    return Bun.spawn(conmonArguments(plan), {
      stdio: ["ignore", "ignore", "ignore", writer, lock],
      env: { ...ENVIRONMENT, _OCI_SYNCPIPE: "3" },
      // It leaves the file `oom` here when the kernel kills for want of memory.
      cwd: plan.bundle,
    });
  } finally {
    closeSync(writer);
    closeSync(lock);
  }
}

/**
 * Waits until a conmon that another process has started is done with creating, or has ended; false where it is not
 * within `timeout` ms. Needed after a kill of who started it.
 */
export async function awaitCreation(bundle: string, timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout;
  for (;;) {
    let watch: Watch;
    try {
      watch = new Watch(bundle, IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE);
    } catch (error) {
      if (isMissing(error)) return true;
      throw error;
    }
    using held = watch;
    if (existsSync(join(bundle, "pid")) || !isHeld(join(bundle, LOCK))) return true;
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await held.next(left);
  }
}

/** Asked through a descriptor that cannot write: its close is no event for {@link awaitCreation}. */
function isHeld(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    flock(fd, LOCK_EX | LOCK_NB);
    return false;
  } catch (error) {
    if (errnoOf(error) === "EAGAIN" || errnoOf(error) === "EWOULDBLOCK") return true;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** One line, or all there is at its end. */
async function readLine(fd: number, timeout: number): Promise<string> {
  const buffer = Buffer.alloc(65_536);
  const next = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new LxcriError("create-failed", `conmon: no answer after ${timeout} ms`)),
        timeout,
      );
      read(fd, buffer, 0, buffer.length, null, (error, size) => {
        clearTimeout(timer);
        if (error === null) resolve(size);
        else reject(error);
      });
    });
  let text = "";
  while (!text.includes("\n")) {
    const size = await next();
    if (size === 0) break;
    text += buffer.toString("utf8", 0, size);
  }
  return text;
}

/** `{"pid": N}`, negative with a `message` where the runtime failed. */
function checkAnswer(id: string, line: string): void {
  let answer: { readonly pid?: unknown; readonly message?: unknown } = {};
  try {
    answer = JSON.parse(line);
  } catch {
    // Nothing, or half a line: conmon has died.
  }
  if (typeof answer.pid === "number" && answer.pid > 0) return;
  const said = typeof answer.message === "string" ? answer.message.trim() : "conmon ended without a word";
  throw new LxcriError("create-failed", `container ${id}: ${said.replace(/^proxmox-lxcri: /, "")}`);
}

function signalIfAlive(process_: ProcessIdentity): void {
  if (isAlive(process_)) process.kill(process_.pid, "SIGKILL");
}

/** conmon of this bundle, where one runs. */
export function conmonOf(bundle: string): ProcessIdentity | undefined {
  try {
    const pid = Number(readFileSync(join(bundle, "conmon.pid"), "utf8"));
    const isConmon = readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "conmon";
    return isConmon && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`\0${bundle}\0`)
      ? identify(pid)
      : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The exit code that conmon wrote: 0 to 255, 128 + signal. undefined while it runs, or where conmon was killed. */
export function exitCodeOf(bundle: string): number | undefined {
  try {
    const text = readFileSync(join(bundle, "exit"), "utf8");
    return /^-?\d+$/.test(text) ? Number(text) & 0xff : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Waits for the exit code. undefined where there will be none: conmon was killed, or the container is being removed.
 * @throws the signal's reason
 */
export async function waitForExit(
  bundle: string,
  conmon: ProcessIdentity | undefined,
  signal?: AbortSignal,
): Promise<number | undefined> {
  for (;;) {
    signal?.throwIfAborted();
    let watch: Watch;
    try {
      watch = new Watch(bundle, IN_MOVED_TO | IN_CREATE);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    using held = watch;
    for (let waiting = true; waiting; waiting = await held.next(RECHECK_MS, signal)) {
      // In this order: what ends between the two looks has left its code.
      const gone = conmon === undefined || !isAlive(conmon);
      const code = exitCodeOf(bundle);
      if (code !== undefined || gone) return code;
    }
  }
}
