/** Capabilities as names, as bits, and as the five sets that one process is given; capabilities(7). */
import { readFileSync } from "node:fs";
import { LxcriError } from "../host/errors.ts";
import type { Capabilities } from "../spec/config.ts";
import { CAPABILITIES } from "../spec/names.ts";
import type { Decision, Warning } from "./warning.ts";

/** A capability's name as OCI writes it, `CAP_` included. */
export type Capability = (typeof CAPABILITIES)[number];

/** What a container holds when nobody asked for more or less: the fourteen that Docker gives. */
export const DEFAULT_CAPABILITIES: readonly Capability[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

const bits = new Map<string, bigint>(CAPABILITIES.map((name, bit) => [name, 1n << BigInt(bit)]));

/** True for the exact name of a capability that this program knows. */
export const isCapability = (name: string): name is Capability => bits.has(name);

/** The set as a bit mask; names that are unknown count for nothing. */
export const capabilityMask = (names: Iterable<string>): bigint => {
  let mask = 0n;
  for (const name of names) mask |= bits.get(name) ?? 0n;
  return mask;
};

/** The names of the known bits of a mask, lowest bit first. */
export const capabilityNames = (mask: bigint): Capability[] =>
  CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n);

/** A mask as capset(2) takes it: two unsigned 32-bit words, the low one first. */
export const capabilityWords = (mask: bigint): readonly [low: number, high: number] => [
  Number(mask & 0xffffffffn),
  Number((mask >> 32n) & 0xffffffffn),
];

/** What a person asks to be changed. Names in any case, with or without `CAP_`; `ALL` is every capability. */
export interface CapabilityChange {
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
}

/** A name as a person writes it → the exact name. @throws LxcriError `capability-unknown` */
function parseCapability(text: string): Capability | "ALL" {
  const upper = text.toUpperCase();
  if (upper === "ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (isCapability(name)) return name;
  throw new LxcriError("capability-unknown", `capability ${JSON.stringify(text)}: no such capability`, {
    fix: "See capabilities(7) for the names.",
  });
}

/**
 * The base set with some added and some dropped. As with Docker a name beats `ALL`: `add ALL, drop MKNOD` is
 * all but MKNOD, `drop ALL, add MKNOD` is MKNOD alone; a name in both lists is dropped.
 * @throws LxcriError `capability-unknown`
 */
export function adjustCapabilities(base: Iterable<Capability>, change: CapabilityChange): Set<Capability> {
  const add = (change.add ?? []).map(parseCapability);
  const drop = (change.drop ?? []).map(parseCapability);
  const set = new Set<Capability>(drop.includes("ALL") ? [] : add.includes("ALL") ? CAPABILITIES : base);
  for (const name of add) if (name !== "ALL") set.add(name);
  for (const name of drop) if (name !== "ALL") set.delete(name);
  return set;
}

/** The masks of one process that matter here. */
export interface ProcessCapabilities {
  readonly effective: bigint;
  readonly bounding: bigint;
}

/** Reads `CapEff` and `CapBnd` out of a /proc/<pid>/status text. */
export function parseProcessCapabilities(status: string): ProcessCapabilities {
  const mask = (field: string): bigint => {
    const found = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
    if (found === undefined)
      throw new LxcriError(
        "capability-status",
        `/proc/self/status: no line ${field}, cannot tell capabilities`,
      );
    return BigInt(`0x${found}`);
  };
  return { effective: mask("CapEff"), bounding: mask("CapBnd") };
}

let own: ProcessCapabilities | undefined;

/** What this process itself holds, and so what it can hand on; read once. */
export const ownCapabilities = (): ProcessCapabilities => {
  own ??= parseProcessCapabilities(readFileSync("/proc/self/status", "latin1"));
  return own;
};

/** True where this process may use the capability. */
export const ownCapability = (name: Capability): boolean =>
  (ownCapabilities().effective & capabilityMask([name])) !== 0n;

/** The five sets as masks, as the C program takes them. */
export type CapabilityMasks = Readonly<Record<keyof Capabilities, bigint>>;

/**
 * A config's `process.capabilities` (checked by `parseConfig`: known names, effective and ambient within
 * permitted) → what this node can grant of it. config.md wants what cannot be granted to be warned about, not
 * to fail: names outside `available` (runc does the same), and inheritable ones outside bounding, for which
 * capset(2) gives EPERM and runc fails with it.
 * @param available this node's bounding set, see {@link ownCapabilities}
 */
export function planCapabilities(sets: Capabilities, available: bigint): Decision<CapabilityMasks> {
  const warnings: Warning[] = [];
  const ignored = (code: string, mask: bigint, why: string): void => {
    const names = capabilityNames(mask).join(", ");
    if (names !== "") warnings.push({ code, message: `capabilities ${names}: ignored, ${why}` });
  };
  const requested = (set: keyof Capabilities): bigint => capabilityMask(sets[set] ?? []);
  const all = requested("bounding") | requested("permitted") | requested("inheritable");
  ignored("capability-unavailable", all & ~available, "not in this node's bounding set");
  const bounding = requested("bounding") & available;
  const permitted = requested("permitted") & available;
  const effective = requested("effective") & available;
  const mayInherit = requested("inheritable") & available;
  ignored("capability-not-grantable", mayInherit & ~bounding, "inheritable but not bounding");
  const inheritable = mayInherit & bounding;
  const ambient = requested("ambient") & inheritable;
  return { value: { bounding, effective, permitted, inheritable, ambient }, warnings };
}
