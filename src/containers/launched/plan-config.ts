/** From an image, a person's request and facts of the node to an OCI config. Pure. */
import { adjustCapabilities, type Capability, DEFAULT_CAPABILITIES } from "../../security/capabilities.ts";
import {
  DEFAULT_DEVICE_RULES,
  DEFAULT_MASKED_PATHS,
  DEFAULT_NAMESPACES,
  DEFAULT_READONLY_PATHS,
} from "../../security/defaults.ts";
import { type DefaultSeccompArch, defaultSeccomp } from "../../security/seccomp/default-profile.ts";
import type {
  Capabilities,
  Config,
  Device,
  DeviceRule,
  Linux,
  Namespace,
  Resources,
} from "../../spec/config.ts";
import { CAPABILITIES } from "../../spec/names.ts";
import { OCI_VERSION } from "../../spec/state.ts";
import type { IdMaps } from "../../storage/driver.ts";
import { type MountFacts, type NamedMount, planMounts } from "./plan-mounts.ts";
import { planArguments, planDirectory, planEnvironment } from "./plan-process.ts";
import type { LaunchImage, LaunchRequest } from "./request.ts";
import type { ResolvedUser } from "./users.ts";

/** A requested device as the host has it. */
export interface FoundDevice {
  readonly source: string;
  readonly destination: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** What the plan needs to know of node and image. */
export interface LaunchFacts extends Omit<MountFacts, "userNamespace"> {
  readonly id: string;
  /** Path of the mounted root file system, absolute or from the bundle. */
  readonly rootfs: string;
  readonly user: ResolvedUser;
  /** Present for an unprivileged container. */
  readonly idMaps?: IdMaps;
  readonly mounts: readonly NamedMount[];
  readonly devices: readonly FoundDevice[];
  readonly architecture: DefaultSeccompArch;
  /** Names of loaded AppArmor profiles. */
  readonly appArmorProfiles: ReadonlySet<string>;
}

/** A system container gets all that its own user namespace bounds, save what reaches the machine. */
const SYSTEM_DENIED: ReadonlySet<string> = new Set([
  "CAP_MAC_ADMIN",
  "CAP_MAC_OVERRIDE",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_TIME",
]);

function capabilitiesOf(image: LaunchImage, request: LaunchRequest): ReadonlySet<Capability> {
  const base = request.privileged
    ? CAPABILITIES
    : image.kind === "system"
      ? CAPABILITIES.filter((name) => !SYSTEM_DENIED.has(name))
      : DEFAULT_CAPABILITIES;
  return adjustCapabilities(base, { add: request.capAdd, drop: request.capDrop });
}

/** Another user than root holds none at first; setuid programs may get them. */
function capabilitySets(set: ReadonlySet<Capability>, user: ResolvedUser): Capabilities {
  const all = [...set];
  const held = user.uid === 0 ? all : [];
  return { bounding: all, permitted: held, effective: held, inheritable: [], ambient: [] };
}

function namespacesOf(request: LaunchRequest, userNamespace: boolean): Namespace[] {
  return DEFAULT_NAMESPACES.flatMap((namespace): Namespace[] => {
    if (namespace.type === "user" && !userNamespace) return [];
    if (namespace.type !== "network" || request.network.kind === "none") return [namespace];
    return request.network.kind === "path" ? [{ ...namespace, path: request.network.path }] : [];
  });
}

/** µs, as everybody takes it. */
const CPU_PERIOD = 100_000;

function resourcesOf(request: LaunchRequest, devices: readonly FoundDevice[]): Resources {
  const { memory, cpus, pids } = request;
  const rules: readonly DeviceRule[] = request.privileged
    ? [{ allow: true }]
    : [
        ...DEFAULT_DEVICE_RULES,
        ...devices.map(
          ({ type, major, minor, access }): DeviceRule => ({ allow: true, type, major, minor, access }),
        ),
      ];
  return {
    devices: rules,
    ...(memory === undefined ? {} : { memory: { limit: memory } }),
    ...(cpus === undefined
      ? {}
      : { cpu: { quota: Math.max(1000, Math.round(cpus * CPU_PERIOD)), period: CPU_PERIOD } }),
    ...(pids === undefined ? {} : { pids: { limit: pids } }),
  };
}

const PROFILE = "lxc-container-default-cgns";
const NESTING_PROFILE = "lxc-container-default-with-nesting";

function profileOf(request: LaunchRequest, loaded: ReadonlySet<string>): { apparmorProfile?: string } {
  const profile = request.nesting ? NESTING_PROFILE : PROFILE;
  return request.privileged || !loaded.has(profile) ? {} : { apparmorProfile: profile };
}

function linuxOf(request: LaunchRequest, facts: LaunchFacts, capabilities: ReadonlySet<Capability>): Linux {
  const { idMaps } = facts;
  // A nested container mounts a /proc of its own, which the kernel allows only where ours hides nothing.
  const open = request.privileged || request.nesting;
  return {
    namespaces: namespacesOf(request, idMaps !== undefined),
    ...(idMaps ?? {}),
    devices: idMaps === undefined ? facts.devices.map(nodeOf) : [],
    resources: resourcesOf(request, facts.devices),
    ...(open ? {} : { maskedPaths: DEFAULT_MASKED_PATHS, readonlyPaths: DEFAULT_READONLY_PATHS }),
    ...(request.privileged ? {} : { seccomp: defaultSeccomp(capabilities, facts.architecture) }),
  };
}

const nodeOf = ({ destination, type, major, minor }: FoundDevice): Device => ({
  path: destination,
  type,
  major,
  minor,
  fileMode: 0o666,
});

/**
 * The container's configuration. Not `noNewPrivileges`: setuid programs of an image (su, sudo, ping) work, and what
 * they can gain ends at the bounding set and, by default, at the user namespace.
 * @throws LxcriError `command-missing`, `capability-unknown`
 */
export function planConfig(image: LaunchImage, request: LaunchRequest, facts: LaunchFacts): Config {
  const hostname = request.hostname ?? facts.id;
  const capabilities = capabilitiesOf(image, request);
  const userNamespace = facts.idMaps !== undefined;
  // No nodes can be made in a user namespace: the host's are bound.
  const bound = userNamespace
    ? facts.devices.map(({ source, destination }) => ({
        destination,
        type: "bind",
        source,
        options: ["bind", "nosuid", "noexec"],
      }))
    : [];
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: request.tty,
      user: {
        uid: facts.user.uid,
        gid: facts.user.gid,
        umask: 0o022,
        additionalGids: facts.user.additionalGids,
      },
      args: planArguments(image, request),
      env: planEnvironment(image, request, { user: facts.user, hostname }),
      cwd: planDirectory(image, request),
      capabilities: capabilitySets(capabilities, facts.user),
      ...profileOf(request, facts.appArmorProfiles),
    },
    root: { path: facts.rootfs, readonly: request.readOnly },
    hostname,
    mounts: [...planMounts(image, request, facts.mounts, { ...facts, userNamespace }), ...bound],
    annotations: {
      ...image.config.Labels,
      ...request.labels,
      "org.opencontainers.image.ref.name": image.name,
    },
    linux: linuxOf(request, facts, capabilities),
  };
}
