/**
 * The OCI runtime configuration, runtime-spec 1.3.0, everything that concerns Linux, with the JSON's own
 * property names. A {@link Config} comes from `parseConfig` and is then trusted: shapes, ranges and the rules
 * between properties have been checked, `null` properties are absent, strings hold no NUL.
 *
 * The room `spec` is pure: types, validation and constants, no I/O. It may call only `host/errors`.
 */
import type {
  IoPriorityClass,
  MemoryPolicyFlag,
  MemoryPolicyMode,
  NamespaceType,
  PersonalityDomain,
  RlimitType,
  RootfsPropagation,
  SchedulerFlag,
  SchedulerPolicy,
  SeccompAction,
  SeccompArchitecture,
  SeccompFlag,
  SeccompOperator,
} from "./names.ts";

export type {
  IoPriorityClass,
  MemoryPolicyFlag,
  MemoryPolicyMode,
  NamespaceType,
  PersonalityDomain,
  RlimitType,
  RootfsPropagation,
  SchedulerFlag,
  SchedulerPolicy,
  SeccompAction,
  SeccompArchitecture,
  SeccompFlag,
  SeccompOperator,
} from "./names.ts";

/**
 * An exact 64-bit integer: a number within ±(2^53−1), a bigint outside. `String(value)` is exact for both, and
 * `<`, `>` compare both; `JSON.stringify` refuses the bigint.
 */
export type Integer64 = number | bigint;

/** String keys to string values (annotations, sysctl, unified). */
export type StringMap = Readonly<Record<string, string>>;

/** config.json. `process` and `root` are required here, since a Linux container without them cannot start. */
export interface Config {
  readonly ociVersion: string;
  readonly process: Process;
  readonly root: Root;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts?: readonly Mount[];
  readonly hooks?: Hooks;
  readonly annotations?: StringMap;
  readonly linux?: Linux;
}

/** config.json `root`; `path` is absolute or relative to the bundle. */
export interface Root {
  readonly path: string;
  readonly readonly?: boolean;
}

/** config.json `process`, and the document of `exec --process`. */
export interface Process {
  readonly terminal?: boolean;
  /** Characters; to be ignored unless `terminal`. */
  readonly consoleSize?: ConsoleSize;
  /** Root (0:0) where the document has no `user`. */
  readonly user: User;
  /** At least one entry; the first is the program. */
  readonly args: readonly [string, ...string[]];
  /** `NAME=value` entries. */
  readonly env?: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  /** −1000 to 1000; when absent the value must not be changed. */
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly selinuxLabel?: string;
  readonly ioPriority?: IoPriority;
  /** Of `exec` only, never of the container's init. */
  readonly execCPUAffinity?: ExecCpuAffinity;
}

/** Terminal size in characters, each 0 to 65535. */
export interface ConsoleSize {
  readonly height: number;
  readonly width: number;
}

/** User and groups, ids as inside the container. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Mode bits; absent: the caller's umask stays. */
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** The five capability sets, names as `CAP_CHOWN`; names that the kernel's list does not have are left out. */
export interface Capabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

/** One resource limit; 2^64−1 is RLIM_INFINITY. */
export interface Rlimit {
  readonly type: RlimitType;
  readonly soft: Integer64;
  readonly hard: Integer64;
}

/** sched_setattr(2); `runtime`, `deadline`, `period` in nanoseconds, for SCHED_DEADLINE. */
export interface Scheduler {
  readonly policy: SchedulerPolicy;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly SchedulerFlag[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}

/** ioprio_set(2); priority 0 (highest) to 7. */
export interface IoPriority {
  readonly class: IoPriorityClass;
  readonly priority: number;
}

/** CPU lists such as `0-3,7`, before and after the move to the container's cgroup. */
export interface ExecCpuAffinity {
  readonly initial?: string;
  readonly final?: string;
}

/** One entry of `mounts`. A bind mount's `source` is absolute or relative to the bundle. */
export interface Mount {
  /** As written: a relative one counts from `/` of the container. */
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  /** See `parseMountOptions`. */
  readonly options?: readonly string[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

/** Hooks by the moment at which they run, each list in its order. */
export interface Hooks {
  /** Deprecated by the spec, still sent by callers. */
  readonly prestart?: readonly Hook[];
  readonly createRuntime?: readonly Hook[];
  readonly createContainer?: readonly Hook[];
  readonly startContainer?: readonly Hook[];
  readonly poststart?: readonly Hook[];
  readonly poststop?: readonly Hook[];
}

/** A program to run at one moment; `path` is absolute, `args[0]` is its argv[0]. */
export interface Hook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds, greater than 0. */
  readonly timeout?: number;
}

/** config.json `linux`. */
export interface Linux {
  readonly namespaces?: readonly Namespace[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly timeOffsets?: TimeOffsets;
  readonly devices?: readonly Device[];
  /** By the device's name on the host. */
  readonly netDevices?: Readonly<Record<string, NetDevice>>;
  /** `/abs`, `rel`, or systemd's `slice:prefix:name`; never holds a `..` segment. */
  readonly cgroupsPath?: string;
  readonly resources?: Resources;
  readonly rootfsPropagation?: RootfsPropagation;
  readonly seccomp?: Seccomp;
  readonly sysctl?: StringMap;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: IntelRdt;
  readonly memoryPolicy?: MemoryPolicy;
  readonly personality?: Personality;
}

/** A namespace to make, or with `path` (absolute) to join. No type comes twice. */
export interface Namespace {
  readonly type: NamespaceType;
  readonly path?: string;
}

/** `size` ids from `containerID` inside stand for those from `hostID` outside; size > 0. */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** Clock offsets of a new time namespace. */
export interface TimeOffsets {
  readonly monotonic?: TimeOffset;
  readonly boottime?: TimeOffset;
}

/** An offset of `secs` (may be negative) plus `nanosecs` (0 to 999,999,999). */
export interface TimeOffset {
  readonly secs?: number;
  readonly nanosecs?: number;
}

/** A device node; `major` and `minor` are always there unless the type is `p` (FIFO). */
export type Device = NumberedDevice | FifoDevice;

interface DeviceNode {
  /** Absolute, inside the container. */
  readonly path: string;
  /** Permission bits. */
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A character (`c`, `u`) or block (`b`) device. */
export interface NumberedDevice extends DeviceNode {
  readonly type: "c" | "b" | "u";
  readonly major: number;
  readonly minor: number;
}

/** A FIFO. */
export interface FifoDevice extends DeviceNode {
  readonly type: "p";
}

/** A host network device to move in; `name` is its name inside (may end in `%d`), else it keeps its own. */
export interface NetDevice {
  readonly name?: string;
}

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

/** Seccomp filter in libseccomp's names. */
export interface Seccomp {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly SeccompArchitecture[];
  readonly flags?: readonly SeccompFlag[];
  /** Absolute path of the agent's socket; there where any rule notifies. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly SeccompRule[];
}

/** What to do with these system calls, where all `args` match. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
}

/** `value` and `valueTwo` are exact unsigned 64-bit integers. For MASKED_EQ `value` is the mask. */
export interface SeccompArg {
  /** 0 to 5. */
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo?: bigint;
  readonly op: SeccompOperator;
}

/** Intel Resource Director Technology. */
export interface IntelRdt {
  /** A directory name below resctrl, or `/` for the default class. */
  readonly closID?: string;
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly schemata?: readonly string[];
  readonly enableMonitoring?: boolean;
}

/** set_mempolicy(2); `nodes` is a list such as `0-3,7`. */
export interface MemoryPolicy {
  readonly mode: MemoryPolicyMode;
  readonly nodes?: string;
  readonly flags?: readonly MemoryPolicyFlag[];
}

/** personality(2); the spec knows no flags yet, so a document with any is refused. */
export interface Personality {
  readonly domain: PersonalityDomain;
}
