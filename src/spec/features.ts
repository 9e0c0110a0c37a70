/** The document of the command `features`. features.md and features-linux.md of runtime-spec 1.3.0. */
import type { StringMap } from "./config.ts";
import { mountOptionNames } from "./mount-options.ts";
import {
  HOOK_NAMES,
  MEMORY_POLICY_FLAGS,
  MEMORY_POLICY_MODES,
  NAMESPACE_TYPES,
  SECCOMP_ACTIONS,
  SECCOMP_ARCHITECTURES,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
  type SeccompArchitecture,
  type SeccompFlag,
} from "./names.ts";
import { OCI_VERSION } from "./state.ts";

/** Whether a part of the runtime is there at all, whatever the host can do. */
interface Switch {
  readonly enabled: boolean;
}

/** The features document. */
export interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks: readonly string[];
  readonly mountOptions: readonly string[];
  readonly linux: {
    readonly namespaces: readonly string[];
    readonly capabilities: readonly string[];
    readonly cgroup: CgroupFeatures;
    readonly seccomp: Switch & {
      readonly actions: readonly string[];
      readonly operators: readonly string[];
      readonly archs: readonly string[];
      readonly knownFlags: readonly string[];
      readonly supportedFlags: readonly string[];
    };
    readonly apparmor: Switch;
    readonly selinux: Switch;
    readonly intelRdt: Switch & { readonly schemata: boolean; readonly monitoring: boolean };
    readonly memoryPolicy: { readonly modes: readonly string[]; readonly flags: readonly string[] };
    readonly mountExtensions: { readonly idmap: Switch };
    readonly netDevices: Switch;
  };
  readonly annotations: StringMap;
  readonly potentiallyUnsafeConfigAnnotations: readonly string[];
}

/** Which cgroup managers the runtime has. */
export interface CgroupFeatures {
  readonly v1: boolean;
  readonly v2: boolean;
  readonly systemd: boolean;
  readonly systemdUser: boolean;
  readonly rdma: boolean;
}

/** What this room cannot know: found out by the caller, or a property of the other rooms. */
export interface FeatureFacts {
  /** Capability names, normally `CAPABILITIES`. */
  readonly capabilities: readonly string[];
  readonly cgroup: CgroupFeatures;
  readonly seccomp: {
    readonly enabled: boolean;
    /** Architectures that the filter compiler knows; all of the spec's unless said otherwise. */
    readonly architectures?: readonly SeccompArchitecture[];
    /** Flags that this kernel takes. */
    readonly supportedFlags: readonly SeccompFlag[];
  };
  readonly apparmor: boolean;
  readonly selinux: boolean;
  readonly intelRdt: boolean;
  readonly annotations: StringMap;
  /** Annotations that change what the runtime does; a name that ends in `.` is a prefix. */
  readonly unsafeAnnotations: readonly string[];
}

/** Builds the document. Lists are sorted, as callers diff them. */
export function features(facts: FeatureFacts): Features {
  const { enabled, architectures = SECCOMP_ARCHITECTURES, supportedFlags } = facts.seccomp;
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: OCI_VERSION,
    hooks: HOOK_NAMES,
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: [...NAMESPACE_TYPES].sort(),
      capabilities: facts.capabilities,
      cgroup: facts.cgroup,
      seccomp: {
        enabled,
        actions: [...SECCOMP_ACTIONS].sort(),
        operators: [...SECCOMP_OPERATORS].sort(),
        archs: [...architectures].sort(),
        knownFlags: [...SECCOMP_FLAGS].sort(),
        supportedFlags: [...supportedFlags].sort(),
      },
      apparmor: { enabled: facts.apparmor },
      selinux: { enabled: facts.selinux },
      intelRdt: { enabled: facts.intelRdt, schemata: facts.intelRdt, monitoring: facts.intelRdt },
      memoryPolicy: { modes: MEMORY_POLICY_MODES, flags: MEMORY_POLICY_FLAGS },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: facts.annotations,
    potentiallyUnsafeConfigAnnotations: facts.unsafeAnnotations,
  };
}
