/**
 * Starts the C program from a sealed copy in memory: what joins a container must not be overwritten from inside it
 * (CVE-2019-5736). This room's only effects are here.
 */
import { closeSync, existsSync, fstatSync, readFileSync, readSync, realpathSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { LxcriError } from "../host/errors.ts";
import { addSeals, execve, memfdCreate, setCloseOnExec } from "../host/libc.ts";
import { Plan } from "./plan.ts";

/** What the C program reports: an error or a failed container. */
export class NativeError extends LxcriError {}

/** What a finished run of the C program said. */
export interface NativeReport {
  /** Pid of the container's init, in our PID namespace. */
  readonly init?: number;
  readonly warnings: readonly string[];
}

/** The C program lies beside the engine; run from source, where the build puts it. */
function programPath(): string {
  const self = realpathSync("/proc/self/exe");
  const beside = self.replace(/-engine$/, "-native");
  if (beside !== self && existsSync(beside)) return beside;
  const built = `${dirname(dirname(import.meta.dir))}/dist/proxmox-lxcri-native`;
  if (existsSync(built)) return built;
  throw new NativeError("native-missing", `${beside}: the C program is missing`, {
    fix: "Install proxmox-lxcri again: both programs belong in one folder.",
  });
}

/** A file in memory with this content, read from its start by who inherits it. */
function memoryFile(name: string, content: Uint8Array, sealed: boolean): number {
  const fd = memfdCreate(name, sealed);
  for (let at = 0; at < content.length; ) at += writeSync(fd, content, at, content.length - at, at);
  if (sealed) addSeals(fd);
  return fd;
}

const openProgram = (): number => memoryFile("lxcri", readFileSync(programPath()), true);

function parseReport(text: string): NativeReport & { readonly error?: string } {
  let init: number | undefined;
  let error: string | undefined;
  const warnings: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("R")) init = Number(line.slice(1));
    else if (line.startsWith("W")) warnings.push(line.slice(1));
    else if (line.startsWith("E")) error ??= line.slice(1);
  }
  return {
    warnings,
    ...(init === undefined ? {} : { init }),
    ...(error === undefined ? {} : { error }),
  };
}

/** Content of a memory file that another process wrote. */
function readAll(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.toString();
}

/** Names the socket at which the C program waits for our plan, where the launcher started it beside us (native/ahead.h). */
const PLAN_SOCKET = "LXCRI_PLAN_FD";

function sendPlan(socket: number, plan: Uint8Array): void {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(plan.length);
  const bytes = Buffer.concat([size, plan]);
  for (let at = 0; at < bytes.length; ) at += writeSync(socket, bytes, at);
}

/** All that the other end of a socket says. */
function hear(socket: number): string {
  const parts: Buffer[] = [];
  const buffer = Buffer.alloc(4096);
  for (;;) {
    const size = readSync(socket, buffer);
    if (size === 0) return Buffer.concat(parts).toString();
    parts.push(Buffer.from(buffer.subarray(0, size)));
  }
}

/** The report of a `native create` that was sent its plan. */
function hearReport(socket: number): NativeReport {
  const report = parseReport(hear(socket));
  if (report.error === undefined && report.init !== undefined) return report;
  throw new NativeError("native-failed", report.error ?? "the C program ended without a word");
}

/**
 * Begins `native create`; the function that is returned waits for its end. Where the launcher started it beside us, it
 * works meanwhile, ends when this process ends, and is told our exit code ahead of that.
 */
export function beginCreate(plan: Plan, inheritance: Inheritance): () => NativeReport {
  const ahead = process.env[PLAN_SOCKET];
  if (ahead === undefined) return () => runNative("create", plan, inheritance);
  const socket = Number(ahead);
  process.on("exit", (code) => {
    writeSync(socket, Uint8Array.of(code));
  });
  sendPlan(socket, plan.bytes());
  return () => hearReport(socket);
}

/** Descriptors that a run of the C program gets beside its standard streams. */
export interface Inheritance {
  /** How many of ours, from 3 up, keep their numbers. */
  readonly preserveFds: number;
  /** The terminal's socket; it gets the number {@link consoleFdOf}. */
  readonly console?: number;
}

/** The number that {@link Inheritance.console} has in the C program. */
export const consoleFdOf = (preserveFds: number): number => 3 + preserveFds + 2;

/**
 * Runs `native create|start|hooks` to its end. Synchronous: nothing else happens meanwhile, and it saves the event
 * loop's start.
 * @throws NativeError `native-failed` with the program's own words
 */
export function runNative(
  command: "create" | "start" | "hooks",
  plan: Plan | Uint8Array,
  { preserveFds, console }: Inheritance = { preserveFds: 0 },
): NativeReport {
  const program = openProgram();
  const planFd = memoryFile("plan", plan instanceof Plan ? plan.bytes() : plan, false);
  const resultFd = memfdCreate("result", false);
  try {
    const preserved = Array.from({ length: preserveFds }, (_, i) => 3 + i);
    const first = 3 + preserveFds;
    const { exitCode, signalCode } = Bun.spawnSync(
      [`/proc/${process.pid}/fd/${program}`, command, `${first}`, `${first + 1}`],
      {
        stdio: [
          "inherit",
          "inherit",
          "inherit",
          ...preserved,
          planFd,
          resultFd,
          ...(console === undefined ? [] : [console]),
        ],
        env: {},
      },
    );
    const report = parseReport(readAll(resultFd));
    if (exitCode === 0) return report;
    const ended = signalCode ? `ended by ${signalCode}` : `ended with status ${exitCode}`;
    throw new NativeError("native-failed", report.error ?? `the C program ${ended}`);
  } finally {
    closeSync(program);
    closeSync(planFd);
    closeSync(resultFd);
  }
}

/** This process becomes `native exec|wait`, or hands its plan to the one that waits for it. */
export function becomeNative(command: "exec" | "wait", plan: Plan): never {
  const ahead = process.env[PLAN_SOCKET];
  if (command === "exec" && ahead !== undefined) {
    sendPlan(Number(ahead), plan.bytes());
    process.exit(0);
  }
  const program = openProgram();
  const planFd = memoryFile("plan", plan.bytes(), false);
  setCloseOnExec(planFd, false);
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  execve(`/proc/self/fd/${program}`, ["lxcri", command, `${planFd}`], environment);
}
