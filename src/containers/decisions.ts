/** What the security room decides about a process of a container, with its warnings logged. */

import type { ProcessDecisions } from "../lxc/process-plan.ts";
import { ownCapabilities, planCapabilities } from "../security/capabilities.ts";
import type { SeccompProgram } from "../security/seccomp/compile.ts";
import type { Linux, Process } from "../spec/config.ts";
import type { Logger } from "../telemetry/log.ts";

/** How {@link decideProcess} decides. */
export interface DecisionContext {
  readonly linux: Linux | undefined;
  /** In a user namespace all capabilities can be had. */
  readonly userNamespace: boolean;
  /** Folder of compiled seccomp filters. */
  readonly seccompCache: string;
  readonly preserveFds: number;
  readonly listenFds?: number | undefined;
  readonly log: Logger;
}

/** All but the labels. */
export async function decideProcess(
  process: Process,
  context: DecisionContext,
): Promise<ProcessDecisions & { readonly seccomp?: SeccompProgram }> {
  const { linux, log } = context;
  const available = context.userNamespace ? (1n << 64n) - 1n : ownCapabilities().bounding;
  const capabilities = planCapabilities(process.capabilities ?? {}, available);
  const rlimits = await decideRlimits(process);
  const oomScore = await decideOomScore(process);
  let seccomp: SeccompProgram | undefined;
  if (linux?.seccomp !== undefined) {
    const { compileSeccomp } = await import("../security/seccomp/compile.ts");
    seccomp = await compileSeccomp(linux.seccomp, { cache: context.seccompCache });
  }
  for (const { message } of [
    ...capabilities.warnings,
    ...rlimits.warnings,
    ...oomScore.warnings,
    ...(seccomp?.warnings ?? []),
  ]) {
    log.warning(message);
  }
  return {
    capabilities: capabilities.value,
    rlimits: rlimits.value,
    ...(oomScore.value === undefined ? {} : { oomScoreAdj: oomScore.value }),
    preserveFds: context.preserveFds,
    listenFds: context.listenFds,
    ...(seccomp === undefined ? {} : { seccomp }),
  };
}

async function decideRlimits({ rlimits }: Process) {
  if (rlimits === undefined || rlimits.length === 0) return { value: [], warnings: [] };
  const { planRlimits, probeRlimits } = await import("../security/rlimits.ts");
  return planRlimits(rlimits, probeRlimits());
}

async function decideOomScore({ oomScoreAdj }: Process) {
  if (oomScoreAdj === undefined) return { value: undefined, warnings: [] };
  const { planOomScoreAdj, probeOom } = await import("../security/oom.ts");
  return planOomScoreAdj(oomScoreAdj, probeOom());
}
