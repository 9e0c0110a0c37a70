/** `linux`: the smaller topics, and the whole. config-linux.md. */
import type { Linux, Namespace, Personality, TimeOffset, TimeOffsets } from "../config.ts";
import { type Findings, quote } from "../faults.ts";
import {
  NAMESPACE_TYPES,
  PERSONALITY_DOMAINS,
  ROOTFS_PROPAGATIONS,
  type RootfsPropagation,
} from "../names.ts";
import { absolutePath, integer, line, oneOf } from "../scalars.ts";
import { array, map, object, orEmpty, type Shape } from "../shape.ts";
import { sysctlPath } from "../sysctl.ts";
import { devices } from "./devices.ts";
import { idMappings } from "./id-mappings.ts";
import { intelRdt } from "./intel-rdt.ts";
import { memoryPolicy } from "./memory-policy.ts";
import { netDevices } from "./net-devices.ts";
import { resources } from "./resources.ts";
import { seccomp } from "./seccomp.ts";

const namespaces = array(
  object<Namespace>({
    required: { type: oneOf(NAMESPACE_TYPES) },
    optional: { path: orEmpty(absolutePath) },
  }),
  (items, path, findings) => {
    const seen = new Set<string>();
    items.forEach(({ type }, index) => {
      if (seen.has(type)) findings.fault(`${path}[${index}].type`, `the namespace ${type} is given twice`);
      seen.add(type);
    });
  },
);

/** time_namespaces(7): half the range of the kernel's clock, some 146 years. */
const MAX_OFFSET_SECONDS = 4_611_686_018;

const timeOffset = object<TimeOffset>({
  required: {},
  optional: {
    secs: integer(-MAX_OFFSET_SECONDS, MAX_OFFSET_SECONDS),
    nanosecs: integer(0, 999_999_999),
  },
});

const timeOffsets = object<TimeOffsets>({
  required: {},
  optional: { monotonic: timeOffset, boottime: timeOffset },
});

/** No segment may lead upwards, neither in a path nor in systemd's `slice:prefix:name`. */
const cgroupsPath: Shape<string> = (value, path, findings) => {
  const checked = line(value, path, findings);
  if (checked === undefined || !checked.split(/[/:]/).includes("..")) return checked;
  return findings.fault(path, `${quote(checked)} has a ".." segment`);
};

const rootfsPropagation = oneOf<RootfsPropagation>([
  ...ROOTFS_PROPAGATIONS,
  ...ROOTFS_PROPAGATIONS.map((name) => `r${name}` as const),
]);

function sysctlName(name: string, path: string, findings: Findings): void {
  if (sysctlPath(name) === undefined) findings.fault(path, "is no name of a kernel parameter");
}

const noFlags: Shape<readonly never[]> = (value, path, findings) =>
  Array.isArray(value) && value.length === 0
    ? []
    : findings.fault(path, "must be empty: the spec knows no personality flags yet");

const personality = object<Personality & { readonly flags?: readonly never[] }>({
  required: { domain: oneOf(PERSONALITY_DOMAINS) },
  optional: { flags: noFlags },
});

export const linux = object<Linux>({
  required: {},
  optional: {
    namespaces,
    uidMappings: idMappings,
    gidMappings: idMappings,
    timeOffsets,
    devices,
    netDevices,
    cgroupsPath: orEmpty(cgroupsPath),
    resources,
    rootfsPropagation: orEmpty(rootfsPropagation),
    seccomp,
    sysctl: map(line, sysctlName),
    maskedPaths: array(absolutePath),
    readonlyPaths: array(absolutePath),
    mountLabel: orEmpty(line),
    intelRdt,
    memoryPolicy,
    personality,
  },
});
