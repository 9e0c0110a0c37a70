/**
 * Programs that change storage. They hold the locks that we hold: when we are killed they go on, and whoever comes
 * next waits for their end before it looks at what they did.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { FileLock } from "../host/file-lock.ts";
import { type RunOptions, type RunResult, run, runChecked } from "../host/process.ts";

const held = new AsyncLocalStorage<readonly number[]>();

/** Does something under a lock. The lock is the caller's to release. */
export const holding = <T>(lock: FileLock, work: () => Promise<T>): Promise<T> =>
  held.run([...heldLocks(), lock.fd], work);

/** Descriptors of the locks that are held here. */
export const heldLocks = (): readonly number[] => held.getStore() ?? [];

/** As `run` of the host room. */
export const runProgram = (argv: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
  run(argv, { ...options, inherit: heldLocks() });

/** As `runChecked` of the host room. */
export const runProgramChecked = (argv: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
  runChecked(argv, { ...options, inherit: heldLocks() });
