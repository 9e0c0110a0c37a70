/**
 * System calls that a libseccomp in use may not know yet, so that a profile written for a newer kernel means
 * what it says on Debian 12. From 424 up a call has one number on every architecture (plus the ABI's base).
 */
import type { SeccompArchitecture } from "../../spec/names.ts";

/** Linux 6.5 to 6.18. */
const NEWER: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
};

/** Calls of one architecture only: the kernel's own return path of a user probe, and RISC-V's feature query. */
const NEWER_OF: Readonly<Partial<Record<SeccompArchitecture, Readonly<Record<string, number>>>>> = {
  SCMP_ARCH_X86_64: { uretprobe: 335 },
  SCMP_ARCH_RISCV64: { riscv_hwprobe: 258 },
};

/** Added to the numbers of an ABI that shares its machine with another. */
const BASES: Readonly<Partial<Record<SeccompArchitecture, number>>> = {
  SCMP_ARCH_X32: 0x4000_0000,
  SCMP_ARCH_MIPS: 4000,
  SCMP_ARCH_MIPSEL: 4000,
  SCMP_ARCH_MIPS64: 5000,
  SCMP_ARCH_MIPSEL64: 5000,
  SCMP_ARCH_MIPS64N32: 6000,
  SCMP_ARCH_MIPSEL64N32: 6000,
};

/** True where {@link newerSyscall} knows the name on some architecture. */
export const isNewerSyscall = (name: string): boolean =>
  Object.hasOwn(NEWER, name) || Object.values(NEWER_OF).some((numbers) => Object.hasOwn(numbers, name));

/** The number of a newer system call as `seccomp_data.nr` shows it; undefined where the name is not known. */
export function newerSyscall(name: string, architecture: SeccompArchitecture): number | undefined {
  const own = NEWER_OF[architecture];
  if (own !== undefined && Object.hasOwn(own, name)) return own[name];
  return Object.hasOwn(NEWER, name) ? (NEWER[name] ?? 0) + (BASES[architecture] ?? 0) : undefined;
}
