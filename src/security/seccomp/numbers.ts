/** The names of OCI's seccomp section as the kernel's and libseccomp's numbers; seccomp(2), seccomp_rule_add(3). */
import type { SeccompAction, SeccompFlag, SeccompOperator } from "../../spec/names.ts";

/** `SECCOMP_RET_*`; for ERRNO and TRACE the low 16 bits carry a number. */
const RETURNS: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

/** The kernel's own names, as in /proc/sys/kernel/seccomp/actions_avail. */
export const KERNEL_ACTION_NAMES: Readonly<Record<SeccompAction, string>> = {
  SCMP_ACT_KILL: "kill_thread",
  SCMP_ACT_KILL_THREAD: "kill_thread",
  SCMP_ACT_KILL_PROCESS: "kill_process",
  SCMP_ACT_TRAP: "trap",
  SCMP_ACT_ERRNO: "errno",
  SCMP_ACT_NOTIFY: "user_notif",
  SCMP_ACT_TRACE: "trace",
  SCMP_ACT_LOG: "log",
  SCMP_ACT_ALLOW: "allow",
};

/** `SECCOMP_FILTER_FLAG_*` of seccomp(2). */
export const FLAG_BITS: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1 << 0,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 1 << 2,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 1 << 5,
};

/** seccomp(2) then returns the listener's descriptor. */
export const FLAG_NEW_LISTENER = 1 << 3;
/** Without it the kernel refuses TSYNC and NEW_LISTENER together. */
export const FLAG_TSYNC_ESRCH = 1 << 4;

/** `enum scmp_compare`. */
export const OPERATORS: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

export const EPERM = 1;
export const ENOSYS = 38;

/** True where `errnoRet` means something for the action. */
export const takesErrno = (action: SeccompAction): boolean =>
  action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";

/** What the filter returns to the kernel for the action; `errnoRet` defaults to EPERM, as OCI says. */
export const returnValue = (action: SeccompAction, errnoRet = EPERM): number =>
  takesErrno(action) ? (RETURNS[action] | (errnoRet & 0xffff)) >>> 0 : RETURNS[action];
