/** `process.oomScoreAdj`: what may be asked of the kernel without CAP_SYS_RESOURCE. */
import { readFileSync } from "node:fs";
import { LxcriError } from "../host/errors.ts";
import { ownCapability } from "./capabilities.ts";
import type { Decision } from "./warning.ts";

/** This process's own score, and whether it may go below it. */
export interface OomPrivilege {
  /** /proc/self/oom_score_adj: a container starts with it. −1000 to 1000. */
  readonly current: number;
  /** CAP_SYS_RESOURCE is there: any score may be set. */
  readonly mayLower: boolean;
}

/** Reads /proc/self. @throws LxcriError `oom-score-unreadable` */
export function probeOom(): OomPrivilege {
  const text = readFileSync("/proc/self/oom_score_adj", "latin1").trim();
  const current = Number(text);
  if (!Number.isInteger(current) || text === "")
    throw new LxcriError("oom-score-unreadable", `/proc/self/oom_score_adj: not a number: ${text}`);
  return { current, mayLower: ownCapability("CAP_SYS_RESOURCE") };
}

/**
 * The score to write for a container. Without the capability the kernel refuses (EACCES) a score below the
 * inherited one; the request is then raised to it, with a warning. `restrict: false` asks for the exact score
 * all the same, and the kernel's refusal becomes the container's error.
 */
export function planOomScoreAdj(
  requested: number,
  privilege: OomPrivilege,
  restrict = !privilege.mayLower,
): Decision<number> {
  if (!restrict || requested >= privilege.current) return { value: requested, warnings: [] };
  return {
    value: privilege.current,
    warnings: [
      {
        code: "oom-score-clamped",
        message: `oomScoreAdj ${requested}: raised to ${privilege.current}, this process's own, as a lower one needs CAP_SYS_RESOURCE`,
      },
    ],
  };
}
