/** `linux.resources`, and the document of `update`. config-linux.md, Control groups. */
import type {
  Cpu,
  DeviceRule,
  HugepageLimit,
  Memory,
  Network,
  NetworkPriority,
  Pids,
  Rdma,
  Resources,
} from "../config.ts";
import { type Findings, quote } from "../faults.ts";
import {
  boolean,
  count,
  integer,
  isInterfaceName,
  limit,
  limit64,
  line,
  nonEmpty,
  oneOf,
  rangeList,
  text,
  UINT32_MAX,
  uint32,
  uint64,
} from "../scalars.ts";
import { array, map, object, orEmpty, type Shape } from "../shape.ts";
import { blockIo } from "./block-io.ts";

const access: Shape<string> = (value, path, findings) => {
  const letters = line(value, path, findings);
  if (letters === undefined || /^[rwm]+$/.test(letters)) return letters;
  return findings.fault(path, `${quote(letters)} is not made of the letters r, w and m`);
};

const ruleNumber = integer(-1, UINT32_MAX);

const givenRule = object<DeviceRule>({
  required: { allow: boolean },
  optional: {
    type: orEmpty(oneOf(["a", "c", "b"])),
    major: ruleNumber,
    minor: ruleNumber,
    access: orEmpty(access),
  },
});

/** Docker writes −1 where the spec leaves the number out. */
const deviceRule: Shape<DeviceRule> = (value, path, findings) => {
  const rule = givenRule(value, path, findings);
  if (rule?.major !== -1 && rule?.minor !== -1) return rule;
  const { major, minor, ...rest } = rule;
  return {
    ...rest,
    ...(major !== undefined && major >= 0 && { major }),
    ...(minor !== undefined && minor >= 0 && { minor }),
  };
};

const memory = object<Memory>({
  required: {},
  optional: {
    limit: limit64,
    reservation: limit64,
    swap: limit64,
    kernel: limit64,
    kernelTCP: limit64,
    swappiness: integer(0, 100),
    disableOOMKiller: boolean,
    useHierarchy: boolean,
    checkBeforeUpdate: boolean,
  },
  check({ limit = 0, swap = 0 }, path, findings) {
    if (limit > 0 && swap > 0 && swap < limit) {
      findings.fault(
        `${path}.swap`,
        `${swap} is memory plus swap, so it must not be below the limit ${limit}`,
      );
    }
  },
});

const cpu = object<Cpu>({
  required: {},
  optional: {
    shares: count,
    quota: limit,
    burst: count,
    period: count,
    realtimeRuntime: limit,
    realtimePeriod: count,
    cpus: orEmpty(rangeList),
    mems: orEmpty(rangeList),
    idle: integer(0, 1),
  },
  check({ quota = 0, burst = 0 }, path, findings) {
    if (quota > 0 && burst > quota) findings.fault(`${path}.burst`, `${burst} is above the quota ${quota}`);
  },
});

const pids = object<Pids>({ required: {}, optional: { limit } });

const pageSize: Shape<string> = (value, path, findings) => {
  const size = line(value, path, findings);
  if (size === undefined || /^[1-9]\d*[KMG]B$/.test(size)) return size;
  return findings.fault(path, `${quote(size)} is not a page size such as 64KB, 2MB or 1GB`);
};

const hugepageLimits = array(
  object<HugepageLimit>({ required: { pageSize, limit: uint64 }, optional: {} }),
  (items, path, findings) => {
    const seen = new Set<string>();
    items.forEach((item, index) => {
      if (seen.has(item.pageSize))
        findings.fault(`${path}[${index}].pageSize`, `${item.pageSize} is given twice`);
      seen.add(item.pageSize);
    });
  },
);

const interfaceName: Shape<string> = (value, path, findings) => {
  const name = nonEmpty(value, path, findings);
  if (name === undefined || isInterfaceName(name)) return name;
  return findings.fault(path, `${quote(name)} is no network device name`);
};

const network = object<Network>({
  required: {},
  optional: {
    classID: uint32,
    priorities: array(
      object<NetworkPriority>({ required: { name: interfaceName, priority: uint32 }, optional: {} }),
    ),
  },
});

const rdmaLimits = object<Rdma>({
  required: {},
  optional: { hcaHandles: uint32, hcaObjects: uint32 },
  check({ hcaHandles, hcaObjects }, path, findings) {
    if (hcaHandles === undefined && hcaObjects === undefined) {
      findings.fault(path, "needs hcaHandles or hcaObjects");
    }
  },
});

/** One word: the name goes into a line of rdma.max. */
function rdmaDevice(name: string, path: string, findings: Findings): void {
  if (!/^[\w.:-]+$/.test(name)) findings.fault(path, "is no RDMA device name");
}

/** A file of the container's own cgroup, not a way out of it. */
function cgroupFile(name: string, path: string, findings: Findings): void {
  if (!/^[\w.-]+$/.test(name) || name.startsWith(".") || name.includes("..")) {
    findings.fault(path, "is no cgroup file name such as memory.high");
  }
}

export const resources = object<Resources>({
  required: {},
  optional: {
    devices: array(deviceRule),
    memory,
    cpu,
    pids,
    blockIO: blockIo,
    hugepageLimits,
    network,
    rdma: map(rdmaLimits, rdmaDevice),
    unified: map(text, cgroupFile),
  },
});
