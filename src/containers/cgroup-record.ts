/** How a record names a container's cgroups, so that they are found again without the config. */

/** Who makes and limits the cgroups. */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

/** The cgroups of one container. */
export interface CgroupRecord {
  /** LXC's `lxc.cgroup.dir.container`: relative to PID 1's group. */
  readonly path: string;
  /** Absolute leaf folder per hierarchy: `unified` for v2, the controller (`memory`, `cpu,cpuacct`) for v1. */
  readonly leaves: Readonly<Record<string, string>>;
  /** The systemd scope around the leaf, where systemd made one. */
  readonly unit?: string;
}
