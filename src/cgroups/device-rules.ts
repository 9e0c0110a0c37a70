/** OCI device rules → one policy: a default and exceptions to it, as the v1 devices controller keeps them. Pure. */
import type { DeviceRule } from "../spec/config.ts";
import { CgroupError } from "./hierarchy.ts";

/** Bits of what a process asks of a device; the numbers are the kernel's BPF_DEVCG_ACC_*. */
export const MKNOD = 1;
export const READ = 2;
export const WRITE = 4;
export const ALL = MKNOD | READ | WRITE;

/** One exception to the default. `major` and `minor` −1 mean all. */
export interface DeviceException {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** MKNOD | READ | WRITE */
  readonly access: number;
}

/**
 * What a container may do. With `allowAll` false a request passes when one exception covers all of it; with true
 * it fails when any exception touches it. Exceptions are sorted, each device once.
 */
export interface DevicePolicy {
  readonly allowAll: boolean;
  readonly exceptions: readonly DeviceException[];
}

const letters = new Map([
  ["r", READ],
  ["w", WRITE],
  ["m", MKNOD],
]);

/** `rwm` letters as bits. */
const accessBits = (access: string): number =>
  [...access].reduce((bits, letter) => bits | (letters.get(letter) ?? 0), 0);

/** Bits as `rwm` letters, in this order, as devices.list prints them. */
export const accessLetters = (bits: number): string =>
  [...letters].flatMap(([letter, bit]) => ((bits & bit) === 0 ? [] : [letter])).join("");

const allow = (type: "b" | "c", major: number, minor: number, access: string): DeviceRule => ({
  allow: true,
  type,
  access,
  ...(major < 0 ? {} : { major }),
  ...(minor < 0 ? {} : { minor }),
});

/**
 * Rules that every container gets after its own, as with runc: any node may be made, and the devices that OCI
 * asks for by default work (null, zero, full, random, urandom, tty; ptmx and the pts; tun).
 */
export const DEFAULT_RULES: readonly DeviceRule[] = [
  allow("c", -1, -1, "m"),
  allow("b", -1, -1, "m"),
  allow("c", 1, 3, "rwm"),
  allow("c", 1, 5, "rwm"),
  allow("c", 1, 7, "rwm"),
  allow("c", 1, 8, "rwm"),
  allow("c", 1, 9, "rwm"),
  allow("c", 5, 0, "rwm"),
  allow("c", 136, -1, "rwm"),
  allow("c", 5, 2, "rwm"),
  allow("c", 10, 200, "rwm"),
];

const keyOf = (e: Pick<DeviceException, "type" | "major" | "minor">): string =>
  `${e.type} ${e.major}:${e.minor}`;
const shown = (e: DeviceException): string =>
  `${e.type} ${e.major < 0 ? "*" : e.major}:${e.minor < 0 ? "*" : e.minor} ${accessLetters(e.access)}`;

/**
 * Goes through the rules in order, beginning with "deny all". A rule of type `a` sets the default and forgets
 * what was before, whatever numbers it has (v1 kernel semantics).
 * @throws CgroupError `device-rule-unsupported` for a hole in a wildcard, which v1 would silently not make
 */
export function policyOf(rules: readonly DeviceRule[]): DevicePolicy {
  let allowAll = false;
  const exceptions = new Map<string, DeviceException>();
  for (const rule of rules) {
    const type = rule.type ?? "a";
    if (type === "a") {
      allowAll = rule.allow;
      exceptions.clear();
      continue;
    }
    const access = rule.access === undefined || rule.access === "" ? ALL : accessBits(rule.access);
    const exception: DeviceException = { type, major: rule.major ?? -1, minor: rule.minor ?? -1, access };
    const present = exceptions.get(keyOf(exception))?.access ?? 0;
    if (rule.allow !== allowAll) {
      exceptions.set(keyOf(exception), { ...exception, access: present | access });
      continue;
    }
    refuseHole(exceptions, exception, rule.allow);
    if ((present & ~access) === 0) exceptions.delete(keyOf(exception));
    else exceptions.set(keyOf(exception), { ...exception, access: present & ~access });
  }
  return { allowAll, exceptions: [...exceptions.values()].sort(byNumber) };
}

const byNumber = (a: DeviceException, b: DeviceException): number =>
  a.major - b.major || a.minor - b.minor || Number(a.type > b.type) - Number(a.type < b.type);

function refuseHole(
  present: ReadonlyMap<string, DeviceException>,
  taken: DeviceException,
  allowed: boolean,
): void {
  const { type, major, minor } = taken;
  for (const wider of [
    { type, major: -1, minor },
    { type, major, minor: -1 },
    { type, major: -1, minor: -1 },
  ]) {
    const rule = present.get(keyOf(wider));
    if (rule === undefined || keyOf(wider) === keyOf(taken) || (rule.access & taken.access) === 0) continue;
    throw new CgroupError(
      "device-rule-unsupported",
      `linux.resources.devices: cannot ${allowed ? "allow" : "deny"} ${shown(taken)}: it would be a hole in the wildcard rule ${shown(rule)}`,
      { fix: "Leave the wildcard rule out, or narrow it." },
    );
  }
}

/** A line for devices.allow or devices.deny. */
export interface DeviceLine {
  readonly file: "devices.allow" | "devices.deny";
  readonly value: string;
}

/** Policy that a v1 `devices.list` shows; of an allow-all group it does not tell the exceptions. */
export function policyOfList(list: string): DevicePolicy {
  const rules = list.split("\n").flatMap((line): DeviceRule[] => {
    const [type, device = "", access = ""] = line.split(" ");
    if (type === "a") return [{ allow: true }];
    if (type !== "b" && type !== "c") return [];
    const [major, minor] = device.split(":");
    return [allow(type, numberOf(major), numberOf(minor), access)];
  });
  return policyOf(rules);
}

const numberOf = (text: string | undefined): number => (text === "*" ? -1 : Number(text));

/**
 * Lines that turn a v1 group from `from` into `to` with as little disturbance as can be: a device that both allow
 * is never denied in between, and the default is only reset where it must be.
 */
export function linesBetween(from: DevicePolicy, to: DevicePolicy): DeviceLine[] {
  // The exceptions of an allow-all group cannot be read, so it starts anew.
  const anew = from.allowAll || from.allowAll !== to.allowAll;
  const old = new Map((anew ? [] : from.exceptions).map((e) => [keyOf(e), e]));
  const wanted = new Map(to.exceptions.map((e) => [keyOf(e), e]));
  const add = to.allowAll ? "devices.deny" : "devices.allow";
  const take = to.allowAll ? "devices.allow" : "devices.deny";
  const difference = (file: DeviceLine["file"], a: typeof old, b: typeof old): DeviceLine[] =>
    [...a.values()].flatMap((e) => {
      const access = e.access & ~(b.get(keyOf(e))?.access ?? 0);
      return access === 0 ? [] : [{ file, value: shown({ ...e, access }) }];
    });
  return [
    ...(anew ? [{ file: take, value: "a" } as const] : []),
    ...difference(take, old, wanted),
    ...difference(add, wanted, old),
  ];
}
