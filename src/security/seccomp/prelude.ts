/**
 * The BPF that runs before libseccomp's filter. It does two things that libseccomp cannot: a system call newer
 * than anything the profile's author knew gives ENOSYS instead of the default action, so that a C library tries
 * the older call (runc does the same since 1.0-rc93; its docs call it the ENOSYS stub), and calls newer than
 * this libseccomp get the action that the profile gives them.
 */
import { ENOSYS, returnValue } from "./numbers.ts";

/** What the prelude knows of one ABI. */
export interface PreludeAbi {
  /** `AUDIT_ARCH_*`, as in `seccomp_data.arch`. */
  readonly auditArch: number;
  /** x86_64 and x32 share their audit value; bit 30 of the number tells them apart. */
  readonly x32?: boolean;
  /** Calls that libseccomp does not know → what the filter returns (`SECCOMP_RET_*`). */
  readonly newer: ReadonlyMap<number, number>;
  /** The largest number that the profile names, those in `newer` included: those above it give ENOSYS. */
  readonly last?: number;
}

/** `struct sock_filter`: two bytes of code, the two jumps, four bytes of constant. */
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, constant: number];

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL = 0x15;
const IF_GREATER = 0x25;
const IF_AT_LEAST = 0x35;
const RETURN = 0x06;

const NR_OFFSET = 0;
const ARCH_OFFSET = 4;
const X32_BIT = 0x4000_0000;
const AUDIT_ARCH_X86_64 = 0xc000_003e;

/** What is done for the ABI once the call is known to be of it; the number is in the accumulator. */
function decisions(abi: PreludeAbi): Instruction[] {
  const body: Instruction[] = [];
  for (const [number, action] of abi.newer) body.push([IF_EQUAL, 0, 1, number], [RETURN, 0, 0, action]);
  if (abi.last !== undefined)
    body.push([IF_GREATER, 0, 1, abi.last], [RETURN, 0, 0, returnValue("SCMP_ACT_ERRNO", ENOSYS)]);
  if (abi.newer.size === 0) return body;
  // The usual call is older than all of these: one comparison instead of one for each.
  const lowest = Math.min(...abi.newer.keys());
  return [[IF_AT_LEAST, 1, 0, lowest], [JUMP, 0, 0, body.length], ...body];
}

/** One ABI's part; `following` is the number of instructions between its end and libseccomp's filter. */
function section(abi: PreludeAbi, following: number): Instruction[] {
  const body = decisions(abi);
  const toFilter: Instruction = [JUMP, 0, 0, following];
  const guard: Instruction[] = [[LOAD, 0, 0, NR_OFFSET]];
  if (abi.auditArch === AUDIT_ARCH_X86_64) {
    const [skipIfX32, skipIfNot] = abi.x32 === true ? [1, 0] : [0, 1];
    guard.push([IF_AT_LEAST, skipIfX32, skipIfNot, X32_BIT], [JUMP, 0, 0, body.length + 1]);
  }
  const inside = [...guard, ...body, toFilter];
  return [[LOAD, 0, 0, ARCH_OFFSET], [IF_EQUAL, 1, 0, abi.auditArch], [JUMP, 0, 0, inside.length], ...inside];
}

/** The prelude as `struct sock_filter[]` bytes, in this machine's byte order; falls through to what follows it. */
export function assemblePrelude(abis: readonly PreludeAbi[]): Uint8Array {
  let program: Instruction[] = [];
  for (const abi of abis.toReversed()) program = [...section(abi, program.length), ...program];
  const words = new Uint8Array(program.length * 8);
  const view = new DataView(words.buffer);
  program.forEach(([code, whenTrue, whenFalse, constant], i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, whenTrue);
    view.setUint8(i * 8 + 3, whenFalse);
    view.setUint32(i * 8 + 4, constant, true);
  });
  return words;
}
