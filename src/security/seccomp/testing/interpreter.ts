/** For tests: runs a seccomp program as the kernel would, without loading it. */

/** One system call as a filter sees it. */
export interface SystemCall {
  readonly nr: number;
  readonly arch: number;
  readonly args?: readonly bigint[];
}

export const X86_64 = 0xc000_003e;
export const I386 = 0x4000_0003;

/** What the filter returns (`SECCOMP_RET_*`), as an unsigned number. Throws at anything that is not valid. */
export function interpret(program: Uint8Array, { nr, arch, args = [] }: SystemCall): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  args.forEach((value, i) => {
    data.setBigUint64(16 + i * 8, value, true);
  });
  const code = new DataView(program.buffer, program.byteOffset, program.length);
  let accumulator = 0;
  for (let pc = 0; pc < program.length / 8; pc += 1) {
    const constant = code.getUint32(pc * 8 + 4, true);
    const jump = (holds: boolean): number => code.getUint8(pc * 8 + (holds ? 2 : 3));
    const operation = code.getUint16(pc * 8, true);
    if (operation === 0x06) return constant;
    else if (operation === 0x20) accumulator = data.getUint32(constant, true);
    else if (operation === 0x54) accumulator = (accumulator & constant) >>> 0;
    else if (operation === 0x05) pc += constant;
    else if (operation === 0x15) pc += jump(accumulator === constant);
    else if (operation === 0x25) pc += jump(accumulator > constant);
    else if (operation === 0x35) pc += jump(accumulator >= constant);
    else if (operation === 0x45) pc += jump((accumulator & constant) !== 0);
    else throw new Error(`instruction ${pc}: unknown code 0x${operation.toString(16)}`);
  }
  throw new Error("the program ran past its end");
}
