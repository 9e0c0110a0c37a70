/** Kernel numbers behind the spec's names: the same on x86_64 and aarch64. */
import type {
  IoPriorityClass,
  MemoryPolicyFlag,
  MemoryPolicyMode,
  PersonalityDomain,
  RlimitType,
  SchedulerFlag,
  SchedulerPolicy,
} from "../spec/config.ts";

/** getrlimit(2). */
export const RLIMITS: Readonly<Record<RlimitType, number>> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

/** sched(7). */
export const SCHEDULER_POLICY_NUMBERS: Readonly<Record<SchedulerPolicy, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

/** sched_setattr(2). */
export const SCHEDULER_FLAG_BITS: Readonly<Record<SchedulerFlag, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** ioprio_set(2): the class is shifted left by 13. */
export const IO_PRIORITY_CLASS_NUMBERS: Readonly<Record<IoPriorityClass, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};

/** personality(2). */
export const PERSONALITY_NUMBERS: Readonly<Record<PersonalityDomain, number>> = { LINUX: 0, LINUX32: 8 };

/** set_mempolicy(2). */
export const MEMORY_POLICY_NUMBERS: Readonly<Record<MemoryPolicyMode, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};

/** set_mempolicy(2). */
export const MEMORY_POLICY_FLAG_BITS: Readonly<Record<MemoryPolicyFlag, number>> = {
  MPOL_F_STATIC_NODES: 1 << 15,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_NUMA_BALANCING: 1 << 13,
};

/** `0-2,7` → 0, 1, 2, 7. The list has been checked; members above `limit` are left out. */
export function expandList(list: string, limit = 1024): number[] {
  const members: number[] = [];
  for (const part of list.split(",")) {
    const [first = "", last = first] = part.trim().split("-");
    const end = Math.min(Number(last), limit - 1);
    for (let member = Number(first); part.trim() !== "" && member <= end; member++) members.push(member);
  }
  return members;
}
