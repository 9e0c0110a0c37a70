/** The container state as the outside sees it. runtime.md, State. */

import type { StringMap } from "./config.ts";
import type { ContainerId } from "./container-id.ts";

/** runtime.md, State: the four of the spec, and runc's `paused`, which containerd and CRI-O read. */
export type Status = "creating" | "created" | "running" | "stopped" | "paused";

/** What `state` prints, and what hooks get on stdin. */
export interface State {
  readonly ociVersion: string;
  readonly id: ContainerId;
  readonly status: Status;
  /** Init's pid in the host's pid namespace; not there once stopped (absent also from a hook's poststop state). */
  readonly pid?: number;
  /** Absolute path. */
  readonly bundle: string;
  readonly annotations?: StringMap;
}

/** What goes to the seccomp agent's socket with the listener. config-linux.md, The Container Process State. */
export interface ContainerProcessState {
  readonly ociVersion: string;
  /** Names of the descriptors that were sent along, in their order. */
  readonly fds: readonly string[];
  readonly pid: number;
  readonly metadata?: string;
  readonly state: State;
}

/** The version of the runtime spec that this program follows. */
export const OCI_VERSION = "1.3.0";
