/** Other programs, started with an argument array, never through a shell; and processes seen through /proc. */
import { readFileSync } from "node:fs";
import { isMissing, LxcriError } from "./errors.ts";

/** What a finished program left behind. */
export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status; 128 + signal where a signal ended it. */
  readonly exitCode: number;
}

/** How {@link run} starts a program. */
export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** ms until SIGKILL; default 60,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Descriptors that it gets as 3 and up: a lock stays held until it ends, even when we are killed. */
  readonly inherit?: readonly number[];
}

/** A program that could not be started, timed out, or (by {@link runChecked}) exited with an error. */
export class ProgramError extends LxcriError {}

/** Runs a program to its end, whatever its exit code. @throws ProgramError `program-missing`, `program-timeout` */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const timeout = options.timeout ?? 60_000;
  let child: Bun.Subprocess<"ignore" | Uint8Array, "pipe", "pipe">;
  try {
    child = Bun.spawn([...argv], {
      stdio: [
        options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
        "pipe",
        "pipe",
        ...(options.inherit ?? []),
      ],
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      timeout,
      killSignal: "SIGKILL",
    });
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new ProgramError("program-missing", `${argv[0]}: program not found`, {
      cause,
      fix: `Install the Debian package that has ${argv[0]}.`,
    });
  }
  const started = performance.now();
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (child.signalCode === "SIGKILL" && performance.now() - started >= timeout) {
    throw new ProgramError("program-timeout", `${argv.join(" ")}: no end after ${timeout} ms`);
  }
  return { stdout, stderr, exitCode };
}

/** Like {@link run}, but an exit code other than 0 throws ProgramError `program-failed` with its last stderr line. */
export async function runChecked(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(argv, options);
  if (result.exitCode !== 0) {
    const said = result.stderr.trim().split("\n").at(-1) || `exit code ${result.exitCode}`;
    throw new ProgramError("program-failed", `${argv.join(" ")}: ${said}`);
  }
  return result;
}

/** A process as /proc/<pid>/stat shows it. */
export interface ProcessStat {
  readonly pid: number;
  readonly ppid: number;
  /** One letter as in proc(5): R, S, D, Z, T, t, X … */
  readonly state: string;
  /** Start in clock ticks since boot; with the pid it names one process for good. */
  readonly startTime: number;
}

/** Reads /proc/<pid>/stat; undefined where no such process is. */
export function processStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { pid, state: fields[0] ?? "X", ppid: Number(fields[1]), startTime: Number(fields[19]) };
}
