/** An OCI seccomp section → a BPF program, by libseccomp. Loaded only where no cached program serves. */
import { LxcriError } from "../../host/errors.ts";
import type { Seccomp, SeccompRule } from "../../spec/config.ts";
import { SECCOMP_ARCHITECTURES, type SeccompArchitecture } from "../../spec/names.ts";
import type { Decision, Warning } from "../warning.ts";
import { type Comparison, Filter } from "./library.ts";
import { ENOSYS, OPERATORS, returnValue } from "./numbers.ts";
import { assemblePrelude, type PreludeAbi } from "./prelude.ts";
import { isNewerSyscall, newerSyscall } from "./syscall-numbers.ts";

/** `BPF_MAXINSNS` of the kernel, and the size of one instruction in bytes. */
const MAX_INSTRUCTIONS = 4096;
const INSTRUCTION_SIZE = 8;

/** Number of rules from which a binary tree is shorter on average; libseccomp ≤ 2.5.4 breaks with none at all. */
const TREE_FROM = 32;

const AUDIT_ARCH_X86_64 = 0xc000_003e;

/** One name of one rule. */
interface NamedRule {
  readonly name: string;
  readonly action: number;
  readonly comparisons: readonly Comparison[];
}

interface Abi {
  readonly name: SeccompArchitecture;
  readonly token: number;
}

const comparisonsOf = (rule: SeccompRule): Comparison[] =>
  (rule.args ?? []).map((arg) => ({
    index: arg.index,
    operator: OPERATORS[arg.op],
    a: arg.value,
    b: arg.valueTwo ?? 0n,
  }));

/** Every name with its action; what repeats the default action says nothing new and libseccomp refuses it. */
function namedRules(profile: Seccomp, defaultReturn: number): NamedRule[] {
  return (profile.syscalls ?? []).flatMap((rule) => {
    const action = returnValue(rule.action, rule.errnoRet);
    if (action === defaultReturn) return [];
    const comparisons = comparisonsOf(rule);
    return rule.names.map((name) => ({ name, action, comparisons }));
  });
}

/** This machine's architecture and the profile's others, each once. */
function addArchitectures(filter: Filter, profile: Seccomp): [native: Abi, ...others: Abi[]] {
  const nativeToken = filter.nativeArch;
  const nativeName = SECCOMP_ARCHITECTURES.find((name) => filter.archToken(name) === nativeToken);
  if (nativeName === undefined)
    throw new LxcriError("seccomp-architecture", "seccomp: this machine's architecture has no OCI name");
  const abis: [Abi, ...Abi[]] = [{ name: nativeName, token: nativeToken }];
  for (const name of new Set(profile.architectures)) {
    if (name === nativeName) continue;
    const token = filter.archToken(name);
    if (token === 0)
      throw new LxcriError("seccomp-architecture", `seccomp: ${name}: not known to this libseccomp`);
    filter.addArch(token, name);
    abis.push({ name, token });
  }
  return abis;
}

/** As runc: where two comparisons concern one argument, each becomes a rule of its own ("or" instead of "and"). */
function alternatives(comparisons: readonly Comparison[]): (readonly Comparison[])[] {
  const indexes = new Set(comparisons.map((comparison) => comparison.index));
  return indexes.size === comparisons.length ? [comparisons] : comparisons.map((comparison) => [comparison]);
}

/** Adds what libseccomp knows; hands back what it does not. */
function addRules(filter: Filter, native: Abi, rules: readonly NamedRule[]): NamedRule[] {
  const left: NamedRule[] = [];
  for (const rule of rules) {
    const number = filter.syscallNumber(rule.name, native.token);
    if (number === undefined) left.push(rule);
    else
      for (const comparisons of alternatives(rule.comparisons))
        filter.addRule(rule.name, number, rule.action, comparisons);
  }
  return left;
}

/** A default that lets calls through, or says ENOSYS anyway, needs no guess about calls unknown to the author. */
const wantsEnosys = (profile: Seccomp): boolean =>
  !["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].includes(profile.defaultAction) &&
  !(profile.defaultAction === "SCMP_ACT_ERRNO" && profile.defaultErrnoRet === ENOSYS);

function preludeAbi(
  filter: Filter,
  abi: Abi,
  profile: Seccomp,
  newerRules: readonly NamedRule[],
): PreludeAbi {
  const newer = new Map<number, number>();
  for (const rule of newerRules) {
    const number = newerSyscall(rule.name, abi.name);
    if (number !== undefined && !newer.has(number)) newer.set(number, rule.action);
  }
  const numbers = (profile.syscalls ?? [])
    .flatMap((rule) => rule.names)
    .map((name) => filter.syscallNumber(name, abi.token) ?? newerSyscall(name, abi.name) ?? -1)
    .filter((number) => number >= 0);
  const known = wantsEnosys(profile) && numbers.length > 0;
  const x32 = abi.name === "SCMP_ARCH_X32";
  return {
    auditArch: x32 ? AUDIT_ARCH_X86_64 : abi.token,
    x32,
    newer,
    ...(known ? { last: Math.max(...numbers) } : {}),
  };
}

function warnings(left: readonly NamedRule[]): Warning[] {
  const unknown = left.filter((rule) => !isNewerSyscall(rule.name));
  const unsayable = left.filter((rule) => isNewerSyscall(rule.name) && rule.comparisons.length > 0);
  const list = (rules: readonly NamedRule[]): string =>
    [...new Set(rules.map((rule) => rule.name))].join(", ");
  return [
    ...(unknown.length === 0
      ? []
      : [
          {
            code: "seccomp-syscall-unknown",
            message: `seccomp: unknown system calls ignored: ${list(unknown)}`,
          },
        ]),
    ...(unsayable.length === 0
      ? []
      : [
          {
            code: "seccomp-arguments-ignored",
            message: `seccomp: rules with arguments ignored, this libseccomp does not know the calls: ${list(unsayable)}`,
          },
        ]),
  ];
}

/**
 * Builds the program. Names that no one knows are ignored with a warning, as runc does.
 * @param library path of libseccomp.so.2
 * @throws LxcriError `seccomp-architecture`, `seccomp-filter`, `seccomp-too-long`, `seccomp-library-unusable`
 */
export function buildProgram(profile: Seccomp, library: string): Decision<Uint8Array> {
  const defaultReturn = returnValue(profile.defaultAction, profile.defaultErrnoRet);
  const rules = namedRules(profile, defaultReturn);
  const filter = new Filter(library, defaultReturn);
  try {
    const abis = addArchitectures(filter, profile);
    if (rules.length > TREE_FROM) filter.useBinaryTree();
    const left = addRules(filter, abis[0], rules);
    const newer = left.filter((rule) => rule.comparisons.length === 0);
    const sections = abis
      .map((abi) => preludeAbi(filter, abi, profile, newer))
      .filter((abi) => abi.newer.size > 0 || abi.last !== undefined);
    const program = Buffer.concat([assemblePrelude(sections), filter.export()]);
    const length = program.length / INSTRUCTION_SIZE;
    if (length > MAX_INSTRUCTIONS)
      throw new LxcriError(
        "seccomp-too-long",
        `seccomp: the profile makes ${length} BPF instructions, the kernel takes ${MAX_INSTRUCTIONS}`,
        { fix: "Name fewer architectures or fewer system calls with arguments." },
      );
    return { value: new Uint8Array(program), warnings: warnings(left) };
  } finally {
    filter.release();
  }
}
