/** What a container gets that nobody configured: mounts, devices, namespaces, hidden and read-only paths. Data. */
import type { DeviceRule, Mount, Namespace, NumberedDevice } from "../spec/config.ts";
import { DEV_MOUNTS } from "../spec/default-config.ts";

/** Hidden from containers: they tell of the host, or do something to its hardware. */
export const DEFAULT_MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** Parts of procfs that are not, or not wholly, the container's own. */
export const DEFAULT_READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** What decides how /sys can be mounted. */
export interface MountSituation {
  /** The container gets a user namespace of its own. */
  readonly newUser: boolean;
  /** The container gets a network namespace of its own, or one that its user namespace owns. */
  readonly ownNetwork: boolean;
}

const sysfs: Mount = {
  destination: "/sys",
  type: "sysfs",
  source: "sysfs",
  options: ["nosuid", "noexec", "nodev", "ro"],
};

/** The kernel refuses (EPERM) a new sysfs to a user namespace that does not own the network namespace. */
const hostSysfs: Mount = {
  destination: "/sys",
  type: "bind",
  source: "/sys",
  options: ["rbind", "nosuid", "noexec", "nodev", "rro", "rslave"],
};

/** The mounts of a container, in the order to make them; a caller's own come after. */
export const defaultMounts = ({ newUser, ownNetwork }: MountSituation): readonly Mount[] => [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  ...DEV_MOUNTS,
  newUser && !ownNetwork ? hostSysfs : sysfs,
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
  },
];

/** The namespaces of a launched container; `user` unless it is privileged, `network` unless it shares one. */
export const DEFAULT_NAMESPACES: readonly Namespace[] = [
  { type: "pid" },
  { type: "network" },
  { type: "ipc" },
  { type: "uts" },
  { type: "mount" },
  { type: "cgroup" },
  { type: "user" },
];

const character = (path: string, major: number, minor: number): NumberedDevice => ({
  path,
  type: "c",
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

/** The nodes that OCI wants in every container (config-linux.md, Default Devices), without console and ptmx. */
export const DEFAULT_DEVICES: readonly NumberedDevice[] = [
  character("/dev/null", 1, 3),
  character("/dev/zero", 1, 5),
  character("/dev/full", 1, 7),
  character("/dev/random", 1, 8),
  character("/dev/urandom", 1, 9),
  character("/dev/tty", 5, 0),
];

/** Nothing but the default devices and terminals may be used; any node may be made, as that alone opens nothing. */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  { allow: false },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...DEFAULT_DEVICES.map(
    ({ major, minor }): DeviceRule => ({ allow: true, type: "c", major, minor, access: "rwm" }),
  ),
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
  { allow: true, type: "c", major: 136, access: "rwm" },
];
