/** How a record names a container's cgroups, so that they are found again without the config. */
import type { GroupPlan } from "../cgroups/group-path.ts";

/** Who makes and limits the cgroups. */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

/** The cgroups of one container: its leaf, the monitor's for the moment of `create`, systemd's scope where there is one. */
export type CgroupRecord = GroupPlan;
