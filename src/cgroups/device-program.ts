/** A device policy as a BPF_PROG_TYPE_CGROUP_DEVICE program for cgroup v2. Pure; a small assembler of its own. */
import { ALL, type DeviceException, type DevicePolicy } from "./device-rules.ts";

/** Bytes of one instruction: opcode, registers, 16-bit jump offset, 32-bit immediate (little endian). */
export const INSTRUCTION = 8;

// Opcodes of bpf(2), class | size or operation | mode or source.
const LOAD_WORD = 0x61; // BPF_LDX | BPF_W | BPF_MEM
const MOVE_REGISTER = 0xbf; // BPF_ALU64 | BPF_MOV | BPF_X
const MOVE = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const JUMP_IF_NOT_EQUAL = 0x56; // BPF_JMP32 | BPF_JNE | BPF_K
const JUMP_IF_SET = 0x46; // BPF_JMP32 | BPF_JSET | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const EXIT = 0x95; // BPF_JMP | BPF_EXIT

// Registers: 1 holds the context on entry, 0 the answer.
const ANSWER = 0;
const CONTEXT = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

// struct bpf_cgroup_dev_ctx: access_type (access << 16 | type), major, minor.
const AT_ACCESS_TYPE = 0;
const AT_MAJOR = 4;
const AT_MINOR = 8;
const TYPES = { b: 1, c: 2 } as const;

interface Instruction {
  readonly opcode: number;
  readonly to: number;
  readonly from?: number;
  readonly offset?: number;
  readonly immediate?: number;
}

/** Jumps of a rule lead past its end; filled in once its length is known. */
type Step =
  | Instruction
  | { readonly skipRule: true; readonly opcode: number; readonly to: number; readonly immediate: number };

const answer = (allowed: boolean): Instruction[] => [
  { opcode: MOVE, to: ANSWER, immediate: allowed ? 1 : 0 },
  { opcode: EXIT, to: 0 },
];

function rule(exception: DeviceException, allowAll: boolean): Instruction[] {
  const unless = (opcode: number, to: number, immediate: number): Step => ({
    skipRule: true,
    opcode,
    to,
    immediate,
  });
  const steps: Step[] = [unless(JUMP_IF_NOT_EQUAL, TYPE, TYPES[exception.type])];
  if (allowAll) {
    // Denied when any asked bit is in the exception.
    steps.push(
      { opcode: JUMP_IF_SET, to: ACCESS, offset: 1, immediate: exception.access },
      unless(JUMP, 0, 0),
    );
  } else if (exception.access !== ALL) {
    // Allowed when no asked bit is outside the exception.
    steps.push(unless(JUMP_IF_SET, ACCESS, ALL & ~exception.access));
  }
  if (exception.major >= 0) steps.push(unless(JUMP_IF_NOT_EQUAL, MAJOR, exception.major));
  if (exception.minor >= 0) steps.push(unless(JUMP_IF_NOT_EQUAL, MINOR, exception.minor));
  steps.push(...answer(!allowAll));
  return steps.map((step, i) => ("skipRule" in step ? { ...step, offset: steps.length - i - 1 } : step));
}

/** Instructions that answer 1 (allowed) or 0 (EPERM) for each request, as bytes for BPF_PROG_LOAD. */
export function assemble(policy: DevicePolicy): Uint8Array {
  const program: Instruction[] = [
    { opcode: LOAD_WORD, to: TYPE, from: CONTEXT, offset: AT_ACCESS_TYPE },
    { opcode: MOVE_REGISTER, to: ACCESS, from: TYPE },
    { opcode: AND, to: TYPE, immediate: 0xffff },
    { opcode: SHIFT_RIGHT, to: ACCESS, immediate: 16 },
    { opcode: LOAD_WORD, to: MAJOR, from: CONTEXT, offset: AT_MAJOR },
    { opcode: LOAD_WORD, to: MINOR, from: CONTEXT, offset: AT_MINOR },
    ...policy.exceptions.flatMap((exception) => rule(exception, policy.allowAll)),
    ...answer(policy.allowAll),
  ];
  const bytes = new Uint8Array(program.length * INSTRUCTION);
  const view = new DataView(bytes.buffer);
  for (const [i, { opcode, to, from = 0, offset = 0, immediate = 0 }] of program.entries()) {
    const at = i * INSTRUCTION;
    view.setUint8(at, opcode);
    view.setUint8(at + 1, (from << 4) | to);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, immediate, true);
  }
  return bytes;
}
