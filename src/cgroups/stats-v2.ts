/** Counters of cgroup v2, under the names that v1 has for them. */
import type { Leaf } from "./leaf.ts";
import type { BlkioEntry, BlkioStats, CpuStats, MemoryEntry, MemoryStats } from "./stats.ts";
import { counter, NO_LIMIT, NOTHING, pairs, table, withPressure } from "./stats-files.ts";

const NANOSECONDS = 1000n;

/** cpu.stat (µs there) and cpu.pressure. */
export function readCpuV2(leaf: Leaf): CpuStats {
  const stat = table(leaf.read("cpu", "cpu.stat"));
  return {
    usage: {
      total: (stat.usage_usec ?? 0n) * NANOSECONDS,
      percpu: [],
      percpu_kernel: [],
      percpu_user: [],
      kernel: (stat.system_usec ?? 0n) * NANOSECONDS,
      user: (stat.user_usec ?? 0n) * NANOSECONDS,
    },
    throttling: {
      periods: stat.nr_periods ?? 0n,
      throttledPeriods: stat.nr_throttled ?? 0n,
      throttledTime: (stat.throttled_usec ?? 0n) * NANOSECONDS,
    },
    ...withPressure(leaf.read("cpu", "cpu.pressure")),
  };
}

/** memory.*; swap is given with memory, as v1 counts it. */
export function readMemoryV2(leaf: Leaf): MemoryStats {
  const raw = table(leaf.read("memory", "memory.stat"));
  const events = table(leaf.read("memory", "memory.events"));
  const usage = entry(leaf, "memory", events.max ?? 0n);
  const alone = entry(leaf, "memory.swap", 0n);
  const swap = leaf.has("memory", "memory.swap.current")
    ? {
        ...alone,
        usage: alone.usage + usage.usage,
        limit: alone.limit === NO_LIMIT || usage.limit === NO_LIMIT ? NO_LIMIT : alone.limit + usage.limit,
      }
    : NOTHING;
  return {
    cache: raw.file ?? 0n,
    usage,
    swap,
    kernel: NOTHING,
    kernelTCP: NOTHING,
    raw,
    ...withPressure(leaf.read("memory", "memory.pressure")),
  };
}

function entry(leaf: Leaf, prefix: string, failcnt: bigint): MemoryEntry {
  return {
    limit: counter(leaf.read("memory", `${prefix}.max`), NO_LIMIT),
    usage: counter(leaf.read("memory", `${prefix}.current`)),
    max: counter(leaf.read("memory", `${prefix}.peak`)),
    failcnt,
  };
}

/** io.stat: `8:0 rbytes=… wbytes=… rios=… wios=…` and io.pressure. */
export function readIo(leaf: Leaf): BlkioStats {
  const bytes: BlkioEntry[] = [];
  const operations: BlkioEntry[] = [];
  for (const line of (leaf.read("io", "io.stat") ?? "").split("\n")) {
    const [device = ""] = line.split(" ");
    const [major, minor] = device.split(":");
    if (minor === undefined) continue;
    const values = pairs(line);
    const of = (op: string, key: string): BlkioEntry => ({
      major: counter(major),
      minor: counter(minor),
      op,
      value: counter(values.get(key)),
    });
    bytes.push(of("Read", "rbytes"), of("Write", "wbytes"));
    operations.push(of("Read", "rios"), of("Write", "wios"));
  }
  return {
    tables: { ioServiceBytesRecursive: bytes, ioServicedRecursive: operations },
    ...withPressure(leaf.read("io", "io.pressure")),
  };
}
