/** `linux.seccomp` of the configuration. config-linux.md, Seccomp. */
import type { SeccompAction, SeccompArchitecture, SeccompFlag, SeccompOperator } from "./names.ts";

/** Seccomp filter in libseccomp's names. */
export interface Seccomp {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly SeccompArchitecture[];
  readonly flags?: readonly SeccompFlag[];
  /** Absolute path of the agent's socket; there where any rule notifies. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly SeccompRule[];
}

/** What to do with these system calls, where all `args` match. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
}

/** `value` and `valueTwo` are exact unsigned 64-bit integers. For MASKED_EQ `value` is the mask. */
export interface SeccompArg {
  /** 0 to 5. */
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo?: bigint;
  readonly op: SeccompOperator;
}
