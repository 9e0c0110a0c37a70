/** What the flags of `update` mean as OCI resources. Pure. */
import type { Resources } from "../spec/config.ts";
import type { Flag, FlagValues } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/** The resources that can be given by flags: each sets one property of one group. */
const settings = [
  ["memory", "memory", "limit", "bytes", "memory limit; -1 lifts it"],
  ["memory-reservation", "memory", "reservation", "bytes", "soft memory limit"],
  ["memory-swap", "memory", "swap", "bytes", "limit of memory and swap together; -1 lifts it"],
  ["kernel-memory", "memory", "kernel", "bytes", "kernel memory limit (cgroup v1, old kernels)"],
  ["kernel-memory-tcp", "memory", "kernelTCP", "bytes", "kernel TCP memory limit (cgroup v1)"],
  ["cpu-share", "cpu", "shares", "number", "relative CPU weight"],
  ["cpu-quota", "cpu", "quota", "number", "CPU time per period, microseconds; -1 lifts it"],
  ["cpu-period", "cpu", "period", "number", "length of the period, microseconds"],
  ["cpu-burst", "cpu", "burst", "number", "CPU time that may be saved up, microseconds"],
  ["cpu-rt-runtime", "cpu", "realtimeRuntime", "number", "realtime CPU time per period, microseconds"],
  ["cpu-rt-period", "cpu", "realtimePeriod", "number", "length of the realtime period, microseconds"],
  ["cpu-idle", "cpu", "idle", "number", "1: run only when nothing else wants to"],
  ["cpuset-cpus", "cpu", "cpus", "text", "CPUs to run on, such as 0-3,7"],
  ["cpuset-mems", "cpu", "mems", "text", "memory nodes to use"],
  ["pids-limit", "pids", "limit", "number", "most processes; -1 lifts it"],
  ["blkio-weight", "blockIO", "weight", "number", "relative I/O weight, 10 to 1000"],
] as const satisfies readonly (readonly [
  string,
  keyof Resources,
  string,
  "bytes" | "number" | "text",
  string,
])[];

const aliases: Readonly<Record<string, readonly string[]>> = { "cpu-share": ["cpu-shares"] };

/** The flags, one for each setting. */
export const updateFlags: readonly Flag[] = settings.map(([name, , , kind, summary]) => ({
  name,
  ...(aliases[name] === undefined ? {} : { aliases: aliases[name] }),
  kind: kind === "number" ? "integer" : "string",
  value: kind === "bytes" ? "BYTES" : kind === "number" ? "N" : "LIST",
  summary,
}));

/** The resources that were given; empty when none was. @throws UsageError */
export function resourcesOf(flags: FlagValues): Resources {
  const groups: Record<string, Record<string, number | string>> = {};
  for (const [name, group, property, kind] of settings) {
    const text = flags.string(name);
    if (text === undefined || text === "") continue;
    groups[group] ??= {};
    groups[group][property] =
      kind === "text" ? text : kind === "bytes" ? parseBytes(name, text) : Number(text);
  }
  // As runc: a limit below what is in use is refused, where the kernel would kill instead.
  const { memory, ...others } = groups;
  return memory === undefined ? others : { ...others, memory: { ...memory, checkBeforeUpdate: true } };
}

/** Bytes as `67108864`, `64m`, `64MiB`, `1.5g`; `-1` for no limit. Units are powers of 1024. */
export function parseBytes(flag: string, text: string): number {
  if (text === "-1") return -1;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  const power = "kmgtp".indexOf((match?.[2] ?? "").toLowerCase()) + 1;
  const bytes = Math.floor(Number(match?.[1]) * 1024 ** ((match?.[2] ?? "") === "" ? 0 : power));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(`invalid value ${JSON.stringify(text)} for flag -${flag}: not a size in bytes`);
}
