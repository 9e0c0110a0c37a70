/** Which parts of seccomp this kernel has, and what of a profile it therefore cannot do. */
import { readFileSync } from "node:fs";
import { arch } from "node:os";
import { errnoOf, isMissing } from "../../host/errors.ts";
import { syscall } from "../../host/libc.ts";
import type { Seccomp } from "../../spec/config.ts";
import type { Fault } from "../../spec/faults.ts";
import { SECCOMP_ACTIONS, type SeccompAction, type SeccompFlag } from "../../spec/names.ts";
import { FLAG_BITS, FLAG_NEW_LISTENER, KERNEL_ACTION_NAMES } from "./numbers.ts";

/** What a kernel can do; both sets are empty where it was built without seccomp filters. */
export interface SeccompSupport {
  readonly actions: ReadonlySet<SeccompAction>;
  readonly flags: ReadonlySet<SeccompFlag>;
}

const SYS_SECCOMP: Readonly<Record<string, number>> = { x64: 317, arm64: 277 };
const SET_MODE_FILTER = 1;

/** The actions of an actions_avail text. */
export function parseActions(text: string): Set<SeccompAction> {
  const known = new Set(text.trim().split(/\s+/));
  return new Set(SECCOMP_ACTIONS.filter((action) => known.has(KERNEL_ACTION_NAMES[action])));
}

function probeActions(): Set<SeccompAction> {
  try {
    return parseActions(readFileSync("/proc/sys/kernel/seccomp/actions_avail", "latin1"));
  } catch (error) {
    if (isMissing(error)) return new Set();
    throw error;
  }
}

/** Without a program the kernel looks at the flags first (EINVAL), then at the program's address (EFAULT). */
function flagKnown(flag: SeccompFlag): boolean {
  const number = SYS_SECCOMP[arch()];
  if (number === undefined) return false;
  const needsListener = flag === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
  try {
    syscall(number, [SET_MODE_FILTER, FLAG_BITS[flag] | (needsListener ? FLAG_NEW_LISTENER : 0), null]);
    return false;
  } catch (error) {
    return errnoOf(error) === "EFAULT";
  }
}

/** Asks the kernel; nothing is changed by it. */
export function probeSeccomp(): SeccompSupport {
  const flags = Object.keys(FLAG_BITS) as SeccompFlag[];
  return { actions: probeActions(), flags: new Set(flags.filter(flagKnown)) };
}

/** Everything in the profile that this kernel cannot do. */
export function seccompFaults(profile: Seccomp, support: SeccompSupport): Fault[] {
  if (support.actions.size === 0)
    return [{ path: "linux.seccomp", message: "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)" }];
  const faults: Fault[] = [];
  const checkAction = (path: string, action: SeccompAction): void => {
    if (!support.actions.has(action))
      faults.push({ path, message: `${action}: this kernel does not know the action` });
  };
  checkAction("linux.seccomp.defaultAction", profile.defaultAction);
  profile.syscalls?.forEach((rule, i) => {
    checkAction(`linux.seccomp.syscalls[${i}].action`, rule.action);
  });
  profile.flags?.forEach((flag, i) => {
    if (!support.flags.has(flag))
      faults.push({
        path: `linux.seccomp.flags[${i}]`,
        message: `${flag}: this kernel does not know the flag`,
      });
  });
  return faults;
}
