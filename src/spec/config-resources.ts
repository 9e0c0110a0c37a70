/** `linux.resources` of the configuration, and the document of `update`. config-linux.md, Control groups. */

/**
 * An exact 64-bit integer: a number within ±(2^53−1), a bigint outside. `String(value)` is exact for both, and
 * `<`, `>` compare both; `JSON.stringify` refuses the bigint.
 */
export type Integer64 = number | bigint;

/** String keys to string values (annotations, sysctl, unified). */
export type StringMap = Readonly<Record<string, string>>;

/** cgroup limits: config.json `linux.resources`, and the document of `update --resources`. */
export interface Resources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: Memory;
  readonly cpu?: Cpu;
  readonly pids?: Pids;
  readonly blockIO?: BlockIo;
  readonly hugepageLimits?: readonly HugepageLimit[];
  readonly network?: Network;
  /** By RDMA device name. */
  readonly rdma?: Readonly<Record<string, Rdma>>;
  /** cgroup v2 file name to what to write into it. */
  readonly unified?: StringMap;
}

/** One step of the device allow list, in order; absent `type` means `a`, absent numbers mean all. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "c" | "b";
  readonly major?: number;
  readonly minor?: number;
  /** Of the letters r, w, m; absent means all. */
  readonly access?: string;
}

/** Bytes, −1 for no limit. */
export interface Memory {
  readonly limit?: Integer64;
  /** Soft limit. */
  readonly reservation?: Integer64;
  /** Memory plus swap. */
  readonly swap?: Integer64;
  /** Not recommended by the spec. */
  readonly kernel?: Integer64;
  /** Not recommended by the spec. */
  readonly kernelTCP?: Integer64;
  /** 0 to 100. */
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
}

/** Times in microseconds; quota −1 for no limit; `cpus` and `mems` are lists such as `0-3,7`. */
export interface Cpu {
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  /** 1: SCHED_IDLE, 0: default. */
  readonly idle?: number;
}

/** Number of tasks, −1 for no limit; 0 is a limit. */
export interface Pids {
  readonly limit?: number;
}

/** Weights and per-device rates. The old names (`blkioWeight` …) are read as these. */
export interface BlockIo {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly WeightDevice[];
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
}

/** At least one of the weights is there. */
export interface WeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
}

/** Bytes or operations per second. */
export interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: Integer64;
}

/** `pageSize` such as `2MB`; `limit` in bytes. */
export interface HugepageLimit {
  readonly pageSize: string;
  readonly limit: Integer64;
}

/** net_cls and net_prio of cgroup v1. */
export interface Network {
  readonly classID?: number;
  readonly priorities?: readonly NetworkPriority[];
}

/** Priority of the traffic through the host's interface `name`. */
export interface NetworkPriority {
  readonly name: string;
  readonly priority: number;
}

/** At least one of both is there. */
export interface Rdma {
  readonly hcaHandles?: number;
  readonly hcaObjects?: number;
}
