/**
 * The OCI runtime configuration, runtime-spec 1.3.0, everything that concerns Linux, with the JSON's own
 * property names. A {@link Config} comes from `parseConfig` and is then trusted: shapes, ranges and the rules
 * between properties have been checked, `null` properties are absent, strings hold no NUL.
 *
 * The room `spec` is pure: types, validation and constants, no I/O. It may call only `host/errors`.
 */
import type { Integer64, Resources, StringMap } from "./config-resources.ts";
import type { Seccomp } from "./config-seccomp.ts";
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
} from "./names.ts";

export type {
  BlockIo,
  Cpu,
  DeviceRule,
  HugepageLimit,
  Integer64,
  Memory,
  Network,
  NetworkPriority,
  Pids,
  Rdma,
  Resources,
  StringMap,
  ThrottleDevice,
  WeightDevice,
} from "./config-resources.ts";
export type { Seccomp, SeccompArg, SeccompRule } from "./config-seccomp.ts";
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
