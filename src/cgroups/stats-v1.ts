/** Counters of cgroup v1 controllers. */
import type { Leaf } from "./leaf.ts";
import type {
  BlkioEntry,
  BlkioStats,
  BlkioTable,
  CpuStats,
  CpusetStats,
  MemoryEntry,
  MemoryStats,
} from "./stats.ts";
import { counter, members, table } from "./stats-files.ts";

/** USER_HZ is 100 on every architecture that this program runs on. */
const NANOSECONDS_PER_TICK = 10_000_000n;

/** cpu and cpuacct. */
export function readCpuV1(leaf: Leaf): CpuStats {
  const ticks = table(leaf.read("cpuacct", "cpuacct.stat"));
  const stat = table(leaf.read("cpu", "cpu.stat"));
  // "cpu user system" and one line of nanoseconds per CPU.
  const perCpu = (leaf.read("cpuacct", "cpuacct.usage_all") ?? "")
    .split("\n")
    .slice(1)
    .map((line) => line.split(" "));
  return {
    usage: {
      total: counter(leaf.read("cpuacct", "cpuacct.usage")),
      percpu: (leaf.read("cpuacct", "cpuacct.usage_percpu") ?? "").split(" ").filter(Boolean).map(BigInt),
      percpu_kernel: perCpu.map((fields) => counter(fields[2])),
      percpu_user: perCpu.map((fields) => counter(fields[1])),
      kernel: (ticks.system ?? 0n) * NANOSECONDS_PER_TICK,
      user: (ticks.user ?? 0n) * NANOSECONDS_PER_TICK,
    },
    throttling: {
      periods: stat.nr_periods ?? 0n,
      throttledPeriods: stat.nr_throttled ?? 0n,
      throttledTime: stat.throttled_time ?? 0n,
    },
  };
}

const CPUSET_FLAGS = [
  "cpu_exclusive",
  "mem_hardwall",
  "mem_exclusive",
  "memory_migrate",
  "memory_spread_page",
  "memory_spread_slab",
  "memory_pressure",
  "sched_load_balance",
  "sched_relax_domain_level",
] as const;

/** cpuset; zeros where v1 has none. */
export function readCpuset(leaf: Leaf): CpusetStats {
  const v1 = leaf.version("cpuset") === 1;
  const read = (file: string) => (v1 ? leaf.read("cpuset", `cpuset.${file}`) : undefined);
  return {
    cpus: members(read("cpus")),
    mems: members(read("mems")),
    flags: Object.fromEntries(
      CPUSET_FLAGS.map((flag) => {
        const text = read(flag);
        return [flag, text === "-1" ? -1n : counter(text)];
      }),
    ),
  };
}

/** memory, its swap (with memory), kernel and TCP counters. */
export function readMemoryV1(leaf: Leaf): MemoryStats {
  const entry = (infix: string): MemoryEntry => {
    const read = (file: string) => counter(leaf.read("memory", `memory${infix}.${file}`));
    return {
      limit: read("limit_in_bytes"),
      usage: read("usage_in_bytes"),
      max: read("max_usage_in_bytes"),
      failcnt: read("failcnt"),
    };
  };
  const raw = table(leaf.read("memory", "memory.stat"));
  return {
    cache: raw.cache ?? 0n,
    usage: entry(""),
    swap: entry(".memsw"),
    kernel: entry(".kmem"),
    kernelTCP: entry(".kmem.tcp"),
    raw,
  };
}

type Source = readonly (readonly [BlkioTable, string])[];

/** Which files fill the tables, by the I/O scheduler at work; the first source that has counted anything wins. */
const SOURCES: readonly Source[] = [
  [
    ["ioServiceBytesRecursive", "blkio.bfq.io_service_bytes_recursive"],
    ["ioServicedRecursive", "blkio.bfq.io_serviced_recursive"],
    ["ioQueueRecursive", "blkio.bfq.io_queued_recursive"],
    ["ioServiceTimeRecursive", "blkio.bfq.io_service_time_recursive"],
    ["ioWaitTimeRecursive", "blkio.bfq.io_wait_time_recursive"],
    ["ioMergedRecursive", "blkio.bfq.io_merged_recursive"],
    ["ioTimeRecursive", "blkio.bfq.time_recursive"],
    ["sectorsRecursive", "blkio.bfq.sectors_recursive"],
  ],
  [
    ["ioServiceBytesRecursive", "blkio.io_service_bytes_recursive"],
    ["ioServicedRecursive", "blkio.io_serviced_recursive"],
    ["ioQueueRecursive", "blkio.io_queued_recursive"],
    ["ioServiceTimeRecursive", "blkio.io_service_time_recursive"],
    ["ioWaitTimeRecursive", "blkio.io_wait_time_recursive"],
    ["ioMergedRecursive", "blkio.io_merged_recursive"],
    ["ioTimeRecursive", "blkio.time_recursive"],
    ["sectorsRecursive", "blkio.sectors_recursive"],
  ],
  [
    ["ioServiceBytesRecursive", "blkio.throttle.io_service_bytes_recursive"],
    ["ioServicedRecursive", "blkio.throttle.io_serviced_recursive"],
  ],
];

/** blkio. */
export function readBlkio(leaf: Leaf): BlkioStats {
  for (const source of SOURCES) {
    const tables = Object.fromEntries(
      source.map(([name, file]) => [name, blkioEntries(leaf.read("blkio", file))] as const),
    );
    if (Object.values(tables).some((entries) => entries.length > 0)) return { tables };
  }
  return { tables: {} };
}

/** `8:0 Read 4096` or `8:0 4096` lines; the grand total has no device and is left out. */
function blkioEntries(text: string | undefined): BlkioEntry[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) (?:(\w+) )?(\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, op = "", value] = match;
    return [{ major: counter(major), minor: counter(minor), op, value: counter(value) }];
  });
}
