/** Statistics as the JSON line that `runc events --stats` prints. Pure. */
import type { RdtStats } from "./rdt-stats.ts";
import type { ContainerStats, MemoryEntry, Pressure } from "./stats.ts";

type Json = string | number | bigint | null | readonly Json[] | { readonly [key: string]: Json };

/** Leaves out what Go's `omitempty` would: zeros, empty texts and lists. */
const nonEmpty = (fields: Record<string, Json>): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, v]) => v !== 0n && v !== 0 && v !== "" && !(Array.isArray(v) && v.length === 0),
    ),
  );

const memoryJson = ({ limit, usage, max, failcnt }: MemoryEntry): Json => ({
  limit,
  ...nonEmpty({ usage, max }),
  failcnt,
});

const pressureJson = (psi: Pressure | undefined): Record<string, Json> =>
  psi === undefined ? {} : { psi: { some: { ...psi.some }, full: { ...psi.full } } };

function dataOf(stats: ContainerStats, rdt: RdtStats): Json {
  const { cpu, cpuset, memory, pids, blkio, hugetlb } = stats;
  const { kernel, user, ...usage } = cpu.usage;
  const tables = Object.entries(blkio.tables).map(([name, entries]) => [
    name,
    entries.map((entry) => nonEmpty({ ...entry })),
  ]);
  return {
    cpu: {
      usage: { ...nonEmpty({ ...usage }), kernel, user },
      throttling: nonEmpty({ ...cpu.throttling }),
      ...pressureJson(cpu.psi),
    },
    cpuset: { ...nonEmpty({ cpus: cpuset.cpus, mems: cpuset.mems }), ...cpuset.flags },
    memory: {
      ...nonEmpty({ cache: memory.cache }),
      usage: memoryJson(memory.usage),
      swap: memoryJson(memory.swap),
      kernel: memoryJson(memory.kernel),
      kernelTCP: memoryJson(memory.kernelTCP),
      raw: memory.raw,
      ...pressureJson(memory.psi),
    },
    pids: nonEmpty({ ...pids }),
    blkio: { ...nonEmpty(Object.fromEntries(tables)), ...pressureJson(blkio.psi) },
    hugetlb: Object.fromEntries(
      Object.entries(hugetlb).map(([size, { usage: used, max, failcnt }]) => [
        size,
        { ...nonEmpty({ usage: used, max }), failcnt },
      ]),
    ),
    intel_rdt: { ...rdt },
    network_interfaces: null,
  };
}

/** JSON.rawJSON, which TypeScript's library does not know yet: a number with all its digits. */
const exact = JSON as unknown as { rawJSON(text: string): unknown };

/** One line as `runc events` prints it, without the newline: `{"type":"stats","id":…,"data":…}`. */
export function statsLine(id: string, stats: ContainerStats, rdt: RdtStats = {}): string {
  return JSON.stringify({ type: "stats", id, data: dataOf(stats, rdt) }, (_, value: unknown) =>
    typeof value === "bigint" ? exact.rawJSON(String(value)) : value,
  );
}
