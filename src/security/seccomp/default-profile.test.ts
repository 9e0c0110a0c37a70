import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CAPABILITIES } from "../../spec/names.ts";
import { DEFAULT_CAPABILITIES } from "../capabilities.ts";
import { compileSeccomp, type SeccompProgram } from "./compile.ts";
import { defaultSeccomp } from "./default-profile.ts";
import { I386, interpret, X86_64 } from "./testing/interpreter.ts";
import { Loader } from "./testing/load.ts";

const ALLOW = 0x7fff_0000;
const EPERM = 0x0005_0001;
const ENOSYS = 0x0005_0026;

/** Numbers of x86_64. */
const NR = {
  read: 0,
  mmap: 9,
  socket: 41,
  clone: 56,
  execve: 59,
  ptrace: 101,
  personality: 135,
  mount: 165,
  swapon: 167,
  reboot: 169,
  init_module: 175,
  add_key: 248,
  keyctl: 250,
  unshare: 272,
  perf_event_open: 298,
  open_by_handle_at: 304,
  setns: 308,
  kexec_file_load: 320,
  bpf: 321,
  userfaultfd: 323,
  io_uring_setup: 425,
  clone3: 435,
  futex_waitv: 449,
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  mseal: 462,
} as const;

const compiled = (capabilities: Iterable<string>): Promise<SeccompProgram> =>
  compileSeccomp(defaultSeccomp(new Set(capabilities), "x64"));

describe("the default profile", () => {
  let plain: SeccompProgram;
  let full: SeccompProgram;
  beforeAll(async () => {
    plain = await compiled(DEFAULT_CAPABILITIES);
    full = await compiled(CAPABILITIES);
  });
  const answer = (filter: SeccompProgram, name: keyof typeof NR, ...args: bigint[]): number =>
    interpret(filter.program, { nr: NR[name], arch: X86_64, args });

  test("names no call that neither libseccomp nor we know, for both machines", async () => {
    expect(plain.warnings).toEqual([]);
    expect(full.warnings).toEqual([]);
    expect((await compileSeccomp(defaultSeccomp(new Set(), "arm64"))).warnings).toEqual([]);
  });

  test("allows what ordinary programs use, up to Linux 6.x", () => {
    for (const name of ["read", "mmap", "execve", "ptrace", "futex_waitv"] as const)
      expect(answer(plain, name)).toBe(ALLOW);
    for (const name of ["cachestat", "fchmodat2", "map_shadow_stack", "mseal"] as const)
      expect(answer(plain, name)).toBe(ALLOW);
  });

  test("keeps out of reach what no capability grants", () => {
    for (const name of [
      "add_key",
      "keyctl",
      "io_uring_setup",
      "userfaultfd",
      "kexec_file_load",
      "swapon",
    ] as const)
      for (const filter of [plain, full]) expect([name, answer(filter, name)]).toEqual([name, EPERM]);
  });

  test.each([
    ["CAP_SYS_ADMIN", ["mount", "unshare", "setns", "bpf", "perf_event_open"]],
    ["CAP_BPF", ["bpf"]],
    ["CAP_PERFMON", ["perf_event_open"]],
    ["CAP_SYS_BOOT", ["reboot"]],
    ["CAP_SYS_MODULE", ["init_module"]],
    ["CAP_DAC_READ_SEARCH", ["open_by_handle_at"]],
  ] as const)("%s opens its calls and they are closed without it", async (capability, names) => {
    const filter = await compiled([capability]);
    for (const name of names) expect(answer(filter, name)).toBe(ALLOW);
    for (const name of names) expect(answer(plain, name)).toBe(EPERM);
  });

  test("no new namespace without CAP_SYS_ADMIN, by no clone", () => {
    const FORK = 0x0120_0011n;
    const THREAD = 0x003d_0f00n;
    expect(answer(plain, "clone", FORK)).toBe(ALLOW);
    expect(answer(plain, "clone", THREAD)).toBe(ALLOW);
    for (const bit of [17n, 25n, 26n, 27n, 28n, 29n, 30n])
      expect(answer(plain, "clone", FORK | (1n << bit))).toBe(EPERM);
    expect(answer(plain, "clone3")).toBe(ENOSYS);
    expect(answer(full, "clone", FORK | (1n << 28n))).toBe(ALLOW);
    expect(answer(full, "clone3")).toBe(ALLOW);
  });

  test("sockets of every family but AF_ALG and AF_VSOCK", () => {
    for (const family of [1n, 2n, 10n, 16n, 17n, 37n, 39n, 41n, 44n])
      expect(answer(plain, "socket", family)).toBe(ALLOW);
    for (const family of [38n, 40n]) expect(answer(plain, "socket", family)).toBe(EPERM);
  });

  test("personalities that keep address randomization only", () => {
    for (const value of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn])
      expect(answer(plain, "personality", value)).toBe(ALLOW);
    for (const value of [0x40000n, 0x400000n]) expect(answer(plain, "personality", value)).toBe(EPERM);
  });

  test("32-bit programs get the same rules under their own numbers, x32 none", () => {
    const I386_READ = 3;
    const I386_KEYCTL = 288;
    expect(interpret(plain.program, { nr: I386_READ, arch: I386 })).toBe(ALLOW);
    expect(interpret(plain.program, { nr: I386_KEYCTL, arch: I386 })).toBe(EPERM);
    expect(interpret(plain.program, { nr: 0x4000_0000, arch: X86_64 })).toBe(0);
  });

  test("a call from the future gives ENOSYS", () => {
    expect(interpret(plain.program, { nr: 600, arch: X86_64 })).toBe(ENOSYS);
  });

  describe("in the kernel", () => {
    let loader: Loader;
    beforeAll(async () => {
      loader = await Loader.make();
    });
    afterAll(async () => {
      await loader[Symbol.asyncDispose]();
    });

    test("lets an ordinary call through and stops unshare of a user namespace", async () => {
      expect(await loader.call(plain, NR.socket, 1, 1, 0)).toMatchObject({ signal: 0 });
      expect((await loader.call(plain, NR.socket, 1, 1, 0)).result).toBeGreaterThan(0);
      expect(await loader.call(plain, NR.unshare, 0x1000_0000)).toMatchObject({ result: -1 });
      expect(await loader.call(plain, NR.socket, 40, 1, 0)).toMatchObject({ result: -1 });
    });
  });
});
