/** What the disk keeps about one container (`containers/<id>/state.json`). Its status is never kept: the kernel knows it. */
import type { ContainerId } from "../spec/container-id.ts";
import type { CgroupManager, CgroupRecord } from "./cgroup-record.ts";

/** One process for good: a pid may be used again, a pid with its start time not. */
export interface ProcessIdentity {
  /** In the host's (our) PID namespace. */
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly startTime: number;
}

/**
 * The record of a container. `create` writes it (phase `creating`, with `creator` and `cgroup`) before it makes
 * anything, so that whatever a kill leaves behind can be found; then again with `init`; at last with phase `created`.
 */
export interface ContainerRecord {
  /** Runtime-spec version of the config. */
  readonly ociVersion: string;
  readonly id: ContainerId;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Absolute path of the root file system. */
  readonly rootfs: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly phase: "creating" | "created";
  /** The process that runs `create`; a record in phase `creating` whose creator has gone is a leftover. */
  readonly creator: ProcessIdentity;
  /** The container's init; absent until it exists. */
  readonly init?: ProcessIdentity;
  /** Where its cgroups are; absent where it has none. */
  readonly cgroup?: CgroupRecord;
  readonly cgroupManager: CgroupManager;
  readonly annotations: Readonly<Record<string, string>>;
  /** Name (or uid) of the user who created it. */
  readonly owner: string;
}
