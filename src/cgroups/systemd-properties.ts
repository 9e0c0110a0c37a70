/** OCI resources and annotations as properties of a transient systemd unit. Pure. */
import type { Resources, StringMap } from "../spec/config.ts";
import { CgroupError } from "./hierarchy.ts";
import { ioWeightOf } from "./plan-block-io.ts";
import { weightOfShares } from "./plan-cpu.ts";
import { members } from "./stats-files.ts";

/** A D-Bus property: its signature and the value's words as busctl(1) takes them. */
export interface UnitProperty {
  readonly name: string;
  readonly signature: string;
  readonly words: readonly string[];
}

const INFINITY = String(2n ** 64n - 1n);
const DEFAULT_PERIOD = 100_000;
const ANNOTATION = "org.systemd.property.";

const text = (name: string, value: string): UnitProperty => ({ name, signature: "s", words: [value] });
const flag = (name: string, value: boolean): UnitProperty => ({
  name,
  signature: "b",
  words: [String(value)],
});
const amount = (name: string, value: string | number | bigint): UnitProperty => ({
  name,
  signature: "t",
  words: [String(value)],
});

/** −1 is infinity. */
const limit = (name: string, value: number | bigint | undefined): UnitProperty[] =>
  value === undefined || BigInt(value) === 0n ? [] : [amount(name, BigInt(value) < 0n ? INFINITY : value)];

/** A list such as `0-3,7` as systemd's array of bytes, lowest bit first. */
function mask(name: string, list: string | undefined): UnitProperty[] {
  const numbers = members(list);
  if (numbers.length === 0) return [];
  const bytes = new Uint8Array(Math.floor(Math.max(...numbers) / 8) + 1);
  for (const n of numbers) bytes[n >> 3] = (bytes[n >> 3] ?? 0) | (1 << (n & 7));
  return [{ name, signature: "ay", words: [String(bytes.length), ...Array.from(bytes, String)] }];
}

/** systemd keeps whole percents: rounded up, so that the leaf's own quota always fits below the scope's. */
function quota(quotaUs: number | undefined, periodUs: number | undefined): UnitProperty[] {
  const properties = periodUs ? [amount("CPUQuotaPeriodUSec", periodUs)] : [];
  if (!quotaUs) return properties;
  const perSecond = Math.ceil((quotaUs * 1_000_000) / (periodUs || DEFAULT_PERIOD) / 10_000) * 10_000;
  return [...properties, amount("CPUQuotaPerSecUSec", quotaUs < 0 ? INFINITY : perSecond)];
}

/** Swap alone, as v2 counts it. */
function swapAlone(memory: Resources["memory"]): bigint | undefined {
  if (memory?.swap === undefined || BigInt(memory.swap) === 0n) return undefined;
  const swap = BigInt(memory.swap);
  const held = BigInt(memory.limit ?? 0);
  return swap < 0n || held < 0n ? swap : held === 0n ? undefined : swap - held;
}

/**
 * The limits that systemd knows too. It is given them so that it does not undo what is written into the scope's
 * files; the leaf below the scope gets all limits as files, these included.
 */
export function resourceProperties(resources: Resources, version: 1 | 2): UnitProperty[] {
  const { memory, cpu, pids, blockIO } = resources;
  const common = [
    ...quota(cpu?.quota, cpu?.period),
    ...(pids?.limit === undefined
      ? []
      : [amount("TasksMax", pids.limit < 0 ? INFINITY : Math.max(pids.limit, 1))]),
    ...mask("AllowedCPUs", cpu?.cpus),
    ...mask("AllowedMemoryNodes", cpu?.mems),
  ];
  if (version === 1) {
    return [
      ...limit("MemoryLimit", memory?.limit),
      ...(cpu?.shares ? [amount("CPUShares", cpu.shares)] : []),
      ...(blockIO?.weight ? [amount("BlockIOWeight", blockIO.weight)] : []),
      ...common,
    ];
  }
  const swap = swapAlone(memory);
  return [
    ...limit("MemoryMax", memory?.limit),
    ...limit("MemoryLow", memory?.reservation),
    ...(swap === undefined ? [] : [amount("MemorySwapMax", swap < 0n ? INFINITY : swap)]),
    ...(cpu?.shares ? [amount("CPUWeight", weightOfShares(cpu.shares))] : []),
    ...(blockIO?.weight ? [amount("IOWeight", ioWeightOf(blockIO.weight))] : []),
    ...common,
    ...unifiedProperties(resources.unified ?? {}),
  ];
}

const UNIFIED_AMOUNTS: Readonly<Record<string, string>> = {
  "memory.min": "MemoryMin",
  "memory.low": "MemoryLow",
  "memory.high": "MemoryHigh",
  "memory.max": "MemoryMax",
  "memory.swap.max": "MemorySwapMax",
  "pids.max": "TasksMax",
  "cpu.weight": "CPUWeight",
  "io.weight": "IOWeight",
};

function unifiedProperties(unified: StringMap): UnitProperty[] {
  return Object.entries(unified).flatMap(([file, raw]): UnitProperty[] => {
    const value = raw.trim().replace(/^default /, "");
    const name = UNIFIED_AMOUNTS[file];
    if (name !== undefined && /^(max|\d+)$/.test(value))
      return [amount(name, value === "max" ? INFINITY : value)];
    if (file === "cpuset.cpus") return mask("AllowedCPUs", value);
    if (file === "cpuset.mems") return mask("AllowedMemoryNodes", value);
    const cpu = file === "cpu.max" ? /^(max|\d+)(?: (\d+))?$/.exec(value) : null;
    return cpu === null
      ? []
      : quota(cpu[1] === "max" ? -1 : Number(cpu[1]), cpu[2] ? Number(cpu[2]) : undefined);
  });
}

/** What every scope of ours has: the first process, its slice, delegation, no ordering with the rest. */
export function scopeProperties(id: string, slice: string, pid: number): UnitProperty[] {
  return [
    text("Description", `OCI container ${id}`),
    text("Slice", slice),
    flag("Delegate", true),
    { name: "PIDs", signature: "au", words: ["1", String(pid)] },
    flag("MemoryAccounting", true),
    flag("CPUAccounting", true),
    flag("IOAccounting", true),
    flag("TasksAccounting", true),
    flag("DefaultDependencies", false),
    text("CollectMode", "inactive-or-failed"),
  ];
}

const refuse = (key: string, value: string): CgroupError =>
  new CgroupError(
    "systemd-property-invalid",
    `annotation ${key}: ${JSON.stringify(value)} is no GVariant text`,
    {
      fix: "Write a string as 'text', a number as uint64 5, a list as ['a', 'b'], or true or false.",
    },
  );

const INTEGERS: Readonly<Record<string, string>> = { int32: "i", uint32: "u", int64: "x", uint64: "t" };

function parseVariant(key: string, value: string): { signature: string; words: string[] } {
  const source = value.trim();
  if (source === "true" || source === "false") return { signature: "b", words: [source] };
  const quoted = /^'([^'\\]*)'$|^"([^"\\]*)"$/.exec(source);
  if (quoted !== null) return { signature: "s", words: [quoted[1] ?? quoted[2] ?? ""] };
  const number = /^(?:(int32|uint32|int64|uint64) )?(-?\d+)$/.exec(source);
  if (number !== null) return { signature: INTEGERS[number[1] ?? "int32"] ?? "i", words: [number[2] ?? ""] };
  const list = /^\[(.*)\]$/.exec(source);
  if (list === null) throw refuse(key, value);
  const words = (list[1] ?? "").split(",").map((item) => /^\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*$/.exec(item));
  return {
    signature: "as",
    words: [
      String(words.length),
      ...words.map((word) => word?.[1] ?? word?.[2] ?? raise(refuse(key, value))),
    ],
  };
}

function raise(error: Error): never {
  throw error;
}

/**
 * Annotations `org.systemd.property.NAME` with values in GVariant text, as CRI-O and podman write them. A name in
 * `…Sec` with a number means seconds and becomes `…USec`, which is what D-Bus knows.
 * @throws CgroupError `systemd-property-invalid`
 */
export function annotationProperties(annotations: StringMap): UnitProperty[] {
  return Object.entries(annotations).flatMap(([key, value]): UnitProperty[] => {
    if (!key.startsWith(ANNOTATION)) return [];
    const name = key.slice(ANNOTATION.length);
    if (!/^[A-Za-z]{3,}$/.test(name)) throw refuse(key, value);
    const variant = parseVariant(key, value);
    if (!/[^U]Sec$/.test(name) || variant.signature === "s") return [{ name, ...variant }];
    return [amount(name.replace(/Sec$/, "USec"), BigInt(variant.words[0] ?? 0) * 1_000_000n)];
  });
}

/** Later properties win over earlier ones of the same name. */
export function mergeProperties(...lists: readonly (readonly UnitProperty[])[]): UnitProperty[] {
  return [...new Map(lists.flat().map((property) => [property.name, property])).values()];
}
