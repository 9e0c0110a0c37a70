/** Our default seccomp profile: an allow list, widened by the capabilities that the container holds. */
import type { Seccomp, SeccompArg, SeccompRule } from "../../spec/config.ts";
import type { SeccompArchitecture } from "../../spec/names.ts";
import { ALWAYS, WITH_CAPABILITY } from "./default-syscalls.ts";
import { ENOSYS, EPERM } from "./numbers.ts";

/** Machines that the default profile is made for, as `os.arch()` calls them. */
export type DefaultSeccompArch = "x64" | "arm64";

/**
 * The machine's own ABI and its 32-bit one. x32 is left out: Debian's kernels have it switched off, hardly
 * anything uses it, and its calls have had holes of their own.
 */
const ABIS: Readonly<
  Record<DefaultSeccompArch, { architectures: readonly SeccompArchitecture[]; syscalls: readonly string[] }>
> = {
  x64: {
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    syscalls: ["arch_prctl", "modify_ldt"],
  },
  arm64: {
    architectures: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    syscalls: [
      "arm_fadvise64_64",
      "arm_sync_file_range",
      "sync_file_range2",
      "breakpoint",
      "cacheflush",
      "set_tls",
    ],
  },
};

const arg = (index: number, op: SeccompArg["op"], value: bigint, valueTwo?: bigint): SeccompArg => ({
  index,
  op,
  value,
  ...(valueTwo === undefined ? {} : { valueTwo }),
});

const allow = (names: readonly string[], ...args: SeccompArg[]): SeccompRule => ({
  names,
  action: "SCMP_ACT_ALLOW",
  ...(args.length === 0 ? {} : { args }),
});

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME is a signal number to clone(2). */
const NEW_NAMESPACES = 0x7e02_0000n;

/** Without CAP_SYS_ADMIN: no new namespaces, and ENOSYS for clone3, whose flags a filter cannot see. */
const PLAIN_CLONE: readonly SeccompRule[] = [
  allow(["clone"], arg(0, "SCMP_CMP_MASKED_EQ", NEW_NAMESPACES, 0n)),
  { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
];

/** PER_LINUX, PER_LINUX32, each also with UNAME26, and the query. No READ_IMPLIES_EXEC, no ADDR_NO_RANDOMIZE. */
const PERSONALITIES: readonly SeccompRule[] = [0x0n, 0x8n, 0x2_0000n, 0x2_0008n, 0xffff_ffffn].map((value) =>
  allow(["personality"], arg(0, "SCMP_CMP_EQ", value)),
);

/**
 * Every socket family but AF_ALG (38: the kernel's crypto, large and seldom used) and AF_VSOCK (40: reaches the
 * hypervisor past the network namespace). The three comparisons are alternatives, as they share an argument.
 */
const SOCKETS: readonly SeccompRule[] = [
  allow(["socket"], arg(0, "SCMP_CMP_LT", 38n)),
  allow(["socket"], arg(0, "SCMP_CMP_EQ", 39n)),
  allow(["socket"], arg(0, "SCMP_CMP_GT", 40n)),
];

/**
 * The profile for a container that holds these capabilities (its bounding set). Calls that are not allowed give
 * EPERM, calls newer than the profile ENOSYS. On 32-bit x86 socketcall(2) hides the family from any filter.
 */
export function defaultSeccomp(capabilities: ReadonlySet<string>, arch: DefaultSeccompArch): Seccomp {
  const abi = ABIS[arch];
  const granted = Object.entries(WITH_CAPABILITY).flatMap(([capability, names]) =>
    capabilities.has(capability) ? names : [],
  );
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: abi.architectures,
    syscalls: [
      allow([...new Set([...ALWAYS, ...abi.syscalls, ...granted])]),
      ...PERSONALITIES,
      ...SOCKETS,
      ...(capabilities.has("CAP_SYS_ADMIN") ? [] : PLAIN_CLONE),
    ],
  };
}
