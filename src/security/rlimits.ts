/** `process.rlimits`: what may be asked of the kernel without CAP_SYS_RESOURCE. */
import { readFileSync } from "node:fs";
import { LxcriError } from "../host/errors.ts";
import type { Integer64, Rlimit } from "../spec/config.ts";
import type { RlimitType } from "../spec/names.ts";
import { ownCapability } from "./capabilities.ts";
import type { Decision, Warning } from "./warning.ts";

/** How /proc/<pid>/limits calls them. */
const TITLES: Readonly<Record<RlimitType, string>> = {
  RLIMIT_AS: "Max address space",
  RLIMIT_CORE: "Max core file size",
  RLIMIT_CPU: "Max cpu time",
  RLIMIT_DATA: "Max data size",
  RLIMIT_FSIZE: "Max file size",
  RLIMIT_LOCKS: "Max file locks",
  RLIMIT_MEMLOCK: "Max locked memory",
  RLIMIT_MSGQUEUE: "Max msgqueue size",
  RLIMIT_NICE: "Max nice priority",
  RLIMIT_NOFILE: "Max open files",
  RLIMIT_NPROC: "Max processes",
  RLIMIT_RSS: "Max resident set",
  RLIMIT_RTPRIO: "Max realtime priority",
  RLIMIT_RTTIME: "Max realtime timeout",
  RLIMIT_SIGPENDING: "Max pending signals",
  RLIMIT_STACK: "Max stack size",
};

/** 2⁶⁴−1: no limit. */
export const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/** This process's own hard limits, and whether it may go above them. */
export interface RlimitPrivilege {
  readonly hard: (type: RlimitType) => Integer64;
  /** CAP_SYS_RESOURCE is there (in the initial user namespace, where the kernel looks for it). */
  readonly mayRaise: boolean;
}

/** The hard limit in a /proc/<pid>/limits text. @throws LxcriError `rlimit-unreadable` */
export function parseHardLimit(text: string, type: RlimitType): bigint {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${TITLES[type]} `));
  const hard = line === undefined ? undefined : /^\S+\s+(\d+|unlimited)/.exec(line.slice(26))?.[1];
  if (hard === undefined)
    throw new LxcriError("rlimit-unreadable", `/proc/self/limits: no line ${JSON.stringify(TITLES[type])}`);
  return hard === "unlimited" ? RLIM_INFINITY : BigInt(hard);
}

/** Reads /proc/self. */
export function probeRlimits(): RlimitPrivilege {
  const text = readFileSync("/proc/self/limits", "latin1");
  return { hard: (type) => parseHardLimit(text, type), mayRaise: ownCapability("CAP_SYS_RESOURCE") };
}

const smaller = (a: Integer64, b: Integer64): Integer64 => (a < b ? a : b);

/**
 * The limits to set. Without the capability the kernel refuses (EPERM) a hard limit above the inherited one; it
 * is then lowered to that, and the soft one with it, with a warning. `restrict: false` asks for the exact limits
 * all the same, and the kernel's refusal becomes the container's error.
 */
export function planRlimits(
  requested: readonly Rlimit[],
  privilege: RlimitPrivilege,
  restrict = !privilege.mayRaise,
): Decision<readonly Rlimit[]> {
  if (!restrict) return { value: requested, warnings: [] };
  const warnings: Warning[] = [];
  const value = requested.map((limit): Rlimit => {
    const ceiling = privilege.hard(limit.type);
    if (limit.hard <= ceiling) return limit;
    warnings.push({
      code: "rlimit-clamped",
      message: `${limit.type} ${limit.hard}: lowered to ${ceiling}, this process's own hard limit, as a higher one needs CAP_SYS_RESOURCE`,
    });
    return { type: limit.type, hard: ceiling, soft: smaller(limit.soft, ceiling) };
  });
  return { value, warnings };
}
