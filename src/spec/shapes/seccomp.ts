/** `linux.seccomp`. config-linux.md, Seccomp. */
import type { Seccomp, SeccompArg, SeccompRule } from "../config.ts";
import type { Findings } from "../faults.ts";
import {
  SECCOMP_ACTIONS,
  SECCOMP_ARCHITECTURES,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
  type SeccompAction,
} from "../names.ts";
import { absolutePath, bigUint64, integer, nonEmpty, oneOf, text } from "../scalars.ts";
import { array, object, orEmpty, strings } from "../shape.ts";

const action = oneOf(SECCOMP_ACTIONS);

/** SECCOMP_RET_DATA has 16 bits. */
const errnoRet = integer(0, 2 ** 16 - 1);

/** MAX_ERRNO of the kernel: SECCOMP_RET_ERRNO silently lowers a larger one to it. */
const MAX_ERRNO = 4095;

const arg = object<SeccompArg>({
  required: { index: integer(0, 5), value: bigUint64, op: oneOf(SECCOMP_OPERATORS) },
  optional: { valueTwo: bigUint64 },
});

const rule = object<SeccompRule>({
  required: {
    names: strings(nonEmpty, (names, path, findings) => {
      if (names.length === 0) findings.fault(path, "must have at least one entry");
    }),
    action,
  },
  optional: { errnoRet, args: array(arg) },
  check(rule, path, findings) {
    checkErrno(rule.action, rule.errnoRet, `${path}.errnoRet`, findings);
    if (rule.action === "SCMP_ACT_NOTIFY" && rule.names.includes("write")) {
      // The runtime itself writes after the filter is loaded, when it hands out the listener.
      findings.fault(`${path}.names`, "SCMP_ACT_NOTIFY cannot be used for write");
    }
  },
});

export const seccomp = object<Seccomp>({
  required: { defaultAction: action },
  optional: {
    defaultErrnoRet: errnoRet,
    architectures: array(oneOf(SECCOMP_ARCHITECTURES)),
    flags: array(oneOf(SECCOMP_FLAGS)),
    listenerPath: orEmpty(absolutePath),
    listenerMetadata: orEmpty(text),
    syscalls: array(rule),
  },
  check(seccomp, path, findings) {
    checkErrno(seccomp.defaultAction, seccomp.defaultErrnoRet, `${path}.defaultErrnoRet`, findings);
    if (seccomp.defaultAction === "SCMP_ACT_NOTIFY") {
      findings.fault(`${path}.defaultAction`, "SCMP_ACT_NOTIFY cannot be the default action");
    }
    if (seccomp.listenerPath !== undefined) return;
    if (seccomp.syscalls?.some((rule) => rule.action === "SCMP_ACT_NOTIFY")) {
      findings.fault(`${path}.listenerPath`, "is required where a rule has SCMP_ACT_NOTIFY");
    }
    if (seccomp.listenerMetadata !== undefined) {
      findings.fault(`${path}.listenerMetadata`, "must not be set without listenerPath");
    }
  },
});

function checkErrno(
  action: SeccompAction,
  errno: number | undefined,
  path: string,
  findings: Findings,
): void {
  if (errno === undefined || action === "SCMP_ACT_TRACE") return;
  if (action !== "SCMP_ACT_ERRNO") findings.fault(path, `${action} returns no errno`);
  else if (errno > MAX_ERRNO) findings.fault(path, `${errno} is out of range: 0 to ${MAX_ERRNO}`);
}
