/** What a launched container is doing, or did. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMissing } from "../../host/errors.ts";
import type { Status } from "../../spec/state.ts";
import { statusOf } from "../status.ts";
import { ContainerStore } from "../store.ts";
import { exitCodeOf } from "./conmon.ts";
import type { LaunchedRecord, LaunchedStore } from "./record.ts";

/** A launched container at this moment, for people and for `--json`. */
export interface LaunchedState extends LaunchedRecord {
  /** `preparing`: a launch is at it, or was killed. */
  readonly status: Status | "preparing";
  /** Host's view; while it runs. */
  readonly pid?: number;
  /** Once it has stopped; absent where a reboot or a kill of conmon ended it. */
  readonly exitCode?: number;
  /** RFC 3339, UTC; with the exit code. */
  readonly finished?: string;
  /** The kernel has killed a process of it for want of memory. */
  readonly outOfMemory: boolean;
  readonly bundle: string;
  readonly logPath: string;
}

function statusNow(record: LaunchedRecord): { status: Status | "preparing"; pid?: number } {
  const store = ContainerStore.open(record.root);
  if (store.exists(record.name)) {
    const runtime = store.load(record.name);
    const status = statusOf(store, runtime);
    if (status !== "stopped" && runtime.init !== undefined) return { status, pid: runtime.init.pid };
    return { status };
  }
  return { status: record.phase === "preparing" ? "preparing" : "stopped" };
}

function endOf(bundle: string): { exitCode?: number; finished?: string } {
  const exitCode = exitCodeOf(bundle);
  if (exitCode === undefined) return {};
  try {
    return { exitCode, finished: statSync(join(bundle, "exit")).mtime.toISOString() };
  } catch (error) {
    if (isMissing(error)) return {};
    throw error;
  }
}

/** @throws ContainerError `container-damaged` */
export function stateOfLaunched(launched: LaunchedStore, record: LaunchedRecord): LaunchedState {
  const bundle = launched.bundle(record.name);
  const now = statusNow(record);
  return {
    ...record,
    ...now,
    ...(now.status === "stopped" ? endOf(bundle) : {}),
    outOfMemory: existsSync(join(bundle, "oom")),
    bundle,
    logPath: launched.logPath(record.name),
  };
}
