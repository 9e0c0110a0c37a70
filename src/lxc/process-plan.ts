/** An OCI `process` as the C program wants it: for a container's init and for exec alike. Pure. */
import type { Integer64, Linux, Process } from "../spec/config.ts";
import {
  expandList,
  IO_PRIORITY_CLASS_NUMBERS,
  MEMORY_POLICY_FLAG_BITS,
  MEMORY_POLICY_NUMBERS,
  PERSONALITY_NUMBERS,
  RLIMITS,
  SCHEDULER_FLAG_BITS,
  SCHEDULER_POLICY_NUMBERS,
} from "./numbers.ts";
import { Plan } from "./plan.ts";

/** What other rooms decided about a process. */
export interface ProcessDecisions {
  /** Capability masks that the node can grant. */
  readonly capabilities: Readonly<
    Record<"bounding" | "effective" | "permitted" | "inheritable" | "ambient", bigint>
  >;
  /** Limits that the node can set. */
  readonly rlimits: readonly {
    readonly type: keyof typeof RLIMITS;
    readonly soft: Integer64;
    readonly hard: Integer64;
  }[];
  /** The compiled filter; absent for none. */
  readonly seccomp?: { readonly program: Uint8Array; readonly flags: number; readonly listener?: unknown };
  /** `oom_score_adj` that the node allows; absent: it stays as it is. */
  readonly oomScoreAdj?: number;
  /** How many descriptors from 3 up stay open. */
  readonly preserveFds: number;
  /** How many of them, the first ones, are sockets to serve (sd_listen_fds(3)). */
  readonly listenFds?: number | undefined;
}

/** The plan of a process. `linux` gives what the container's config sets for all its processes. */
export function planProcess(process: Process, linux: Linux | undefined, decided: ProcessDecisions): Plan {
  const { user, ioPriority, consoleSize } = process;
  const plan = new Plan()
    .addAll("arg", process.args)
    .addAll("env", process.env)
    .addAll("env", decided.listenFds ? [`LISTEN_FDS=${decided.listenFds}`, "LISTEN_PID=1"] : [])
    .add("cwd", process.cwd)
    .add("uid", user.uid)
    .add("gid", user.gid)
    .addAll("group", user.additionalGids)
    .add("umask", user.umask)
    .add("no-new-privileges", process.noNewPrivileges)
    .add("preserve", decided.preserveFds)
    .add("oom-score-adj", decided.oomScoreAdj)
    .add("apparmor", process.apparmorProfile || undefined)
    .add("selinux", process.selinuxLabel || undefined);
  if (process.terminal === true) {
    plan.add("terminal", true).add("rows", consoleSize?.height).add("columns", consoleSize?.width);
  }
  for (const [set, mask] of Object.entries(decided.capabilities)) plan.add(`cap-${set}`, mask);
  for (const { type, soft, hard } of decided.rlimits) plan.add("rlimit", `${RLIMITS[type]} ${soft} ${hard}`);
  if (ioPriority !== undefined) {
    plan.add("ioprio", (IO_PRIORITY_CLASS_NUMBERS[ioPriority.class] << 13) | ioPriority.priority);
  }
  addScheduling(plan, process, linux);
  if (decided.seccomp !== undefined) {
    plan
      .add("seccomp", decided.seccomp.program)
      .add("seccomp-flags", decided.seccomp.flags)
      .add("seccomp-listener", decided.seccomp.listener !== undefined);
  }
  return plan;
}

function addScheduling(plan: Plan, process: Process, linux: Linux | undefined): void {
  const { scheduler, execCPUAffinity } = process;
  if (scheduler !== undefined) {
    const flags = (scheduler.flags ?? []).reduce((bits, flag) => bits | SCHEDULER_FLAG_BITS[flag], 0);
    plan.add(
      "scheduler",
      new Plan()
        .add("policy", SCHEDULER_POLICY_NUMBERS[scheduler.policy])
        .add("flags", flags)
        .add("nice", scheduler.nice)
        .add("priority", scheduler.priority)
        .add("runtime", scheduler.runtime)
        .add("deadline", scheduler.deadline)
        .add("period", scheduler.period),
    );
  }
  if (execCPUAffinity?.initial) plan.add("affinity-initial", expandList(execCPUAffinity.initial).join());
  if (execCPUAffinity?.final) plan.add("affinity", expandList(execCPUAffinity.final).join());
  if (linux?.personality !== undefined)
    plan.add("personality", PERSONALITY_NUMBERS[linux.personality.domain]);
  const policy = linux?.memoryPolicy;
  if (policy === undefined) return;
  const bits = (policy.flags ?? []).reduce((all, flag) => all | MEMORY_POLICY_FLAG_BITS[flag], 0);
  plan.add(
    "memory-policy",
    new Plan()
      .add("mode", MEMORY_POLICY_NUMBERS[policy.mode] | bits)
      .addAll("node", expandList(policy.nodes ?? "")),
  );
}
