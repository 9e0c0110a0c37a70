/** libseccomp through bun:ffi: one filter under construction. Only {@link file://./build.ts} uses it. */
import { dlopen, FFIType, type Pointer } from "bun:ffi";
import { closeSync, fstatSync, readSync } from "node:fs";
import { LxcriError } from "../../host/errors.ts";
import { call, errnoName, errnoText } from "../../host/libc.ts";
import type { SeccompArchitecture } from "../../spec/names.ts";

const { ptr: POINTER, u32: U32, i32: I32 } = FFIType;

const SYMBOLS = {
  seccomp_init: { args: [U32], returns: POINTER },
  seccomp_release: { args: [POINTER], returns: FFIType.void },
  seccomp_arch_native: { args: [], returns: U32 },
  seccomp_arch_resolve_name: { args: [POINTER], returns: U32 },
  seccomp_arch_add: { args: [POINTER, U32], returns: I32 },
  seccomp_attr_set: { args: [POINTER, I32, U32], returns: I32 },
  seccomp_syscall_resolve_name_arch: { args: [U32, POINTER], returns: I32 },
  seccomp_rule_add_array: { args: [POINTER, U32, I32, U32, POINTER], returns: I32 },
  seccomp_export_bpf: { args: [POINTER, I32], returns: I32 },
} as const;

const ATTRIBUTE_OPTIMIZE = 8;
const BINARY_TREE = 2;
/** `__NR_SCMP_ERROR`: no such name. Other negative numbers are libseccomp's pseudo numbers. */
const UNKNOWN = -1;
const EEXIST = 17;
const MFD_CLOEXEC = 1;

const cstring = (text: string): Buffer => Buffer.from(`${text}\0`);

/** One comparison of a rule as libseccomp takes it (`struct scmp_arg_cmp`). */
export interface Comparison {
  readonly index: number;
  readonly operator: number;
  readonly a: bigint;
  readonly b: bigint;
}

const open = (path: string) => dlopen(path, SYMBOLS).symbols;
let loaded: { readonly path: string; readonly symbols: ReturnType<typeof open> } | undefined;

function load(path: string): ReturnType<typeof open> {
  if (loaded?.path === path) return loaded.symbols;
  try {
    loaded = { path, symbols: open(path) };
  } catch (cause) {
    throw new LxcriError("seccomp-library-unusable", `${path}: cannot be loaded`, { cause });
  }
  return loaded.symbols;
}

/** libseccomp's filter context; must be released. Every failure is LxcriError `seccomp-filter`. */
export class Filter {
  readonly #lib: ReturnType<typeof open>;
  readonly #context: Pointer;

  /** @param library path of libseccomp.so.2 @param defaultReturn `SECCOMP_RET_*` for calls without a rule */
  constructor(library: string, defaultReturn: number) {
    this.#lib = load(library);
    const context = this.#lib.seccomp_init(defaultReturn) as Pointer | null;
    if (context === null)
      throw new LxcriError("seccomp-filter", "seccomp: libseccomp refuses the default action");
    this.#context = context;
  }

  release(): void {
    this.#lib.seccomp_release(this.#context);
  }

  /** libseccomp's token of this machine's own architecture, always in the filter. */
  get nativeArch(): number {
    return this.#lib.seccomp_arch_native();
  }

  /** The token of an architecture: `AUDIT_ARCH_*` but for x32. 0 where this libseccomp does not know it. */
  archToken(architecture: SeccompArchitecture): number {
    const name = architecture.slice("SCMP_ARCH_".length).toLowerCase();
    return this.#lib.seccomp_arch_resolve_name(cstring(name));
  }

  addArch(token: number, name: string): void {
    const result = this.#lib.seccomp_arch_add(this.#context, token);
    if (result !== -EEXIST) this.#check(result, `architecture ${name}`);
  }

  /** The number of a call on the architecture, negative where it is known on another one only. */
  syscallNumber(name: string, token: number): number | undefined {
    const number = this.#lib.seccomp_syscall_resolve_name_arch(token, cstring(name));
    return number === UNKNOWN ? undefined : number;
  }

  /** Searches by halves instead of one by one: for long lists. */
  useBinaryTree(): void {
    this.#check(
      this.#lib.seccomp_attr_set(this.#context, ATTRIBUTE_OPTIMIZE, BINARY_TREE),
      "binary tree optimization",
    );
  }

  /** The call (its native number) gets the action where all comparisons hold. */
  addRule(name: string, number: number, action: number, comparisons: readonly Comparison[]): void {
    const bytes = new DataView(new ArrayBuffer(Math.max(1, comparisons.length) * 24));
    comparisons.forEach(({ index, operator, a, b }, i) => {
      bytes.setUint32(i * 24, index, true);
      bytes.setUint32(i * 24 + 4, operator, true);
      bytes.setBigUint64(i * 24 + 8, a, true);
      bytes.setBigUint64(i * 24 + 16, b, true);
    });
    const array = new Uint8Array(bytes.buffer);
    this.#check(
      this.#lib.seccomp_rule_add_array(this.#context, action, number, comparisons.length, array),
      `rule for ${name}`,
    );
  }

  /** The finished program, `struct sock_filter[]` in this machine's byte order. */
  export(): Uint8Array {
    const fd = call("memfd_create", ["seccomp", MFD_CLOEXEC], "seccomp");
    try {
      this.#check(this.#lib.seccomp_export_bpf(this.#context, fd), "export");
      const program = new Uint8Array(fstatSync(fd).size);
      for (let at = 0; at < program.length; ) at += readSync(fd, program, at, program.length - at, at);
      return program;
    } finally {
      closeSync(fd);
    }
  }

  #check(result: number, what: string): void {
    if (result < 0)
      throw new LxcriError(
        "seccomp-filter",
        `seccomp: ${what}: libseccomp says ${errnoName(-result)} (${errnoText(-result)})`,
      );
  }
}
