/**
 * Transient scopes of systemd around containers, through busctl(1): it is wherever systemd is, and costs nothing
 * where it is not used. D-Bus interface org.freedesktop.systemd1.Manager.
 */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { isMissing, messageOf } from "../host/errors.ts";
import { ProgramError, run } from "../host/process.ts";
import type { ScopeName } from "./group-path.ts";
import { CgroupError, groupsOf } from "./hierarchy.ts";
import type { UnitProperty } from "./systemd-properties.ts";

const DEFAULT_TIMEOUT = 30_000;
/** Group in the scope where the placeholder waits: on v2 a parent of controllers holds no process. */
const HOLD = "lxcri-hold";

/** True where systemd is PID 1 (sd_booted(3)). */
export const systemdRuns = (): boolean => existsSync("/run/systemd/system");

/** The argument vector of one method call; `words` follow the signature as busctl(1) says. */
export function busctlCall(
  method: string,
  signature: string,
  words: readonly string[],
  timeout: number,
): string[] {
  return [
    "busctl",
    "--system",
    "--quiet",
    `--timeout=${Math.ceil(timeout / 1000)}`,
    "--",
    "call",
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
    method,
    signature,
    ...words,
  ];
}

const propertyWords = (properties: readonly UnitProperty[]): string[] => [
  String(properties.length),
  ...properties.flatMap(({ name, signature, words }) => [name, signature, ...words]),
];

/** StartTransientUnit(name, mode, properties, aux). */
export const startCall = (
  unit: string,
  properties: readonly UnitProperty[],
  timeout = DEFAULT_TIMEOUT,
): string[] =>
  busctlCall(
    "StartTransientUnit",
    "ssa(sv)a(sa(sv))",
    [unit, "replace", ...propertyWords(properties), "0"],
    timeout,
  );

/** SetUnitProperties(name, runtime, properties). */
export const setCall = (
  unit: string,
  properties: readonly UnitProperty[],
  timeout = DEFAULT_TIMEOUT,
): string[] =>
  busctlCall("SetUnitProperties", "sba(sv)", [unit, "true", ...propertyWords(properties)], timeout);

/** StopUnit(name, mode). */
export const stopCall = (unit: string, timeout = DEFAULT_TIMEOUT): string[] =>
  busctlCall("StopUnit", "ss", [unit, "replace"], timeout);

/** ResetFailedUnit(name). */
export const resetCall = (unit: string, timeout = DEFAULT_TIMEOUT): string[] =>
  busctlCall("ResetFailedUnit", "s", [unit], timeout);

/** How long systemd may take, and what gives up earlier. */
export interface SystemdWait {
  /** ms; default 30,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** What systemd answered other than success. */
async function callError(argv: string[], wait: SystemdWait): Promise<string | undefined> {
  const timeout = wait.timeout ?? DEFAULT_TIMEOUT;
  const { exitCode, stderr } = await run(argv, {
    timeout: timeout + 1000,
    ...(wait.signal === undefined ? {} : { signal: wait.signal }),
  });
  return exitCode === 0 ? undefined : stderr.trim().replace(/^Call failed: /, "") || `exit code ${exitCode}`;
}

function unitError(unit: string, operation: string, why: string): CgroupError {
  return new CgroupError("systemd-unit-failed", `systemd unit ${unit}: ${operation}: ${why}`);
}

/** A started scope with a placeholder process in it, which keeps it until the container's init is there. */
export interface HeldScope {
  /** Ends the placeholder. Call it when init is in the leaf, and in any case at the end. */
  release(): Promise<void>;
}

/**
 * Starts the scope and waits until the placeholder is in it. The placeholder ends with this process, so that a
 * kill leaves no scope behind.
 * @throws CgroupError `systemd-missing`, `systemd-unit-failed`, `systemd-timeout`
 */
export async function startScope(
  scope: ScopeName,
  properties: (pid: number) => readonly UnitProperty[],
  wait: SystemdWait = {},
): Promise<HeldScope> {
  if (!systemdRuns()) {
    throw new CgroupError("systemd-missing", "systemd cgroups: systemd does not run on this machine", {
      fix: "Leave --systemd-cgroup out.",
    });
  }
  // It reads until our end of the pipe closes, at the latest with this process.
  const placeholder = Bun.spawn(["cat"], { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
  const { unified } = scope.folders;
  const hold =
    unified === undefined || Object.keys(scope.folders).length > 1 ? undefined : `${unified}/${HOLD}`;
  let holding = false;
  const release = async (): Promise<void> => {
    placeholder.kill("SIGKILL");
    await placeholder.exited;
    if (hold !== undefined && holding) removeHold(hold);
  };
  try {
    const call = startCall(scope.unit, properties(placeholder.pid), wait.timeout);
    let why = await callError(call, wait);
    if (why?.includes("already") === true) {
      // A failed scope of a container that was killed keeps its name until it is reset.
      await callError(resetCall(scope.unit, wait.timeout), wait);
      why = await callError(call, wait);
    }
    if (why !== undefined) throw unitError(scope.unit, "start", why);
    await until(() => isInScope(placeholder.pid, scope.unit), wait, `${scope.unit}: not started`);
    if (hold !== undefined) {
      mkdirSync(hold, { recursive: true });
      holding = true;
      writeFileSync(`${hold}/cgroup.procs`, String(placeholder.pid));
    }
  } catch (error) {
    await release();
    throw missingBusctl(error);
  }
  return { release };
}

function isInScope(pid: number, unit: string): boolean {
  const groups = groupsOf(pid);
  const group = groups.get("name=systemd") ?? groups.get("unified") ?? "";
  return group.endsWith(`/${unit}`);
}

function removeHold(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    // systemd may have removed the whole scope already.
    if (!isMissing(error)) throw error;
  }
}

function missingBusctl(error: unknown): unknown {
  if (!(error instanceof ProgramError) || error.code !== "program-missing") return error;
  return new CgroupError("systemd-missing", `systemd cgroups: ${messageOf(error)}`, { cause: error });
}

/** systemd tells of a finished job only on a bus connection that busctl has closed by then: look, ever slower. */
async function until(done: () => boolean, wait: SystemdWait, what: string): Promise<void> {
  const timeout = wait.timeout ?? DEFAULT_TIMEOUT;
  const deadline = performance.now() + timeout;
  for (let pause = 1; !done(); pause = Math.min(pause * 2, 50)) {
    wait.signal?.throwIfAborted();
    if (performance.now() >= deadline) {
      throw new CgroupError("systemd-timeout", `systemd unit ${what} within ${timeout} ms`);
    }
    await Bun.sleep(pause);
  }
}

/** Changes limits of a running scope. @throws CgroupError `systemd-unit-failed` */
export async function setScope(
  unit: string,
  properties: readonly UnitProperty[],
  wait: SystemdWait = {},
): Promise<void> {
  if (properties.length === 0) return;
  const why = await callError(setCall(unit, properties, wait.timeout), wait);
  if (why !== undefined) throw unitError(unit, "set properties", why);
}

/**
 * Stops the scope and waits until its groups are gone; one that is gone already is fine.
 * @throws CgroupError `systemd-unit-failed`, `systemd-timeout`
 */
export async function stopScope(scope: ScopeName, wait: SystemdWait = {}): Promise<void> {
  const why = await callError(stopCall(scope.unit, wait.timeout), wait);
  if (why !== undefined && !why.includes("not loaded")) throw unitError(scope.unit, "stop", why);
  const folder = scope.folders["name=systemd"] ?? scope.folders.unified;
  await until(() => folder === undefined || !existsSync(folder), wait, `${scope.unit}: not stopped`);
  await callError(resetCall(scope.unit, wait.timeout), wait);
}
