/** What a container uses, under the names of `runc events --stats`. Numbers are unsigned 64-bit. Types only. */

/** Pressure stall information: percentages of time, `total` in µs. */
export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly total: bigint;
}

/** `some` and `full` of one pressure file. */
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine;
}

/** Times in nanoseconds. */
export interface CpuStats {
  readonly usage: {
    readonly total: bigint;
    readonly percpu: readonly bigint[];
    readonly percpu_kernel: readonly bigint[];
    readonly percpu_user: readonly bigint[];
    readonly kernel: bigint;
    readonly user: bigint;
  };
  readonly throttling: {
    readonly periods: bigint;
    readonly throttledPeriods: bigint;
    readonly throttledTime: bigint;
  };
  readonly psi?: Pressure;
}

/** Bytes; `limit` is 2^64 − 1 (v2) or nearly 2^63 (v1) where there is none. */
export interface MemoryEntry {
  readonly limit: bigint;
  readonly usage: bigint;
  readonly max: bigint;
  readonly failcnt: bigint;
}

/** Bytes; `swap` counts memory and swap together on both versions, `raw` is memory.stat. */
export interface MemoryStats {
  readonly cache: bigint;
  readonly usage: MemoryEntry;
  readonly swap: MemoryEntry;
  readonly kernel: MemoryEntry;
  readonly kernelTCP: MemoryEntry;
  readonly raw: Readonly<Record<string, bigint>>;
  readonly psi?: Pressure;
}

/** One device and operation (`Read`, `Write` …; empty where the file has none). */
export interface BlkioEntry {
  readonly major: bigint;
  readonly minor: bigint;
  readonly op: string;
  readonly value: bigint;
}

/** The tables that the kernel fills; absent ones are empty. */
export interface BlkioStats {
  readonly tables: Readonly<Partial<Record<BlkioTable, readonly BlkioEntry[]>>>;
  readonly psi?: Pressure;
}

/** Names as runc prints them. */
export type BlkioTable =
  | "ioServiceBytesRecursive"
  | "ioServicedRecursive"
  | "ioQueueRecursive"
  | "ioServiceTimeRecursive"
  | "ioWaitTimeRecursive"
  | "ioMergedRecursive"
  | "ioTimeRecursive"
  | "sectorsRecursive";

/** cpuset of v1; all zero on v2, as with runc. */
export interface CpusetStats {
  readonly cpus: readonly number[];
  readonly mems: readonly number[];
  readonly flags: Readonly<Record<string, bigint>>;
}

/** Everything of one container at one moment. */
export interface ContainerStats {
  readonly cpu: CpuStats;
  readonly cpuset: CpusetStats;
  readonly memory: MemoryStats;
  /** `limit` 0: none. */
  readonly pids: { readonly current: bigint; readonly limit: bigint };
  readonly blkio: BlkioStats;
  readonly hugetlb: Readonly<Record<string, Omit<MemoryEntry, "limit">>>;
}
