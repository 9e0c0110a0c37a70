/** What a caller may ask of create, run and exec; already parsed, paths absolute. */
import type { Logger } from "../telemetry/log.ts";
import type { CgroupManager } from "./cgroup-record.ts";
import type { ContainerStore } from "./store.ts";

/** What every operation on a container needs. */
export interface ContainerTarget {
  readonly store: ContainerStore;
  readonly id: string;
  readonly log: Logger;
}

/** Where the started process' ends go. */
interface ProcessEnds {
  /** File to write the process' pid (host's view) to, atomically. */
  readonly pidFile?: string;
  /** AF_UNIX socket that receives the terminal's master; needed for a detached process with a terminal. */
  readonly consoleSocket?: string;
  /** AF_UNIX socket that receives a pidfd of the process. */
  readonly pidfdSocket?: string;
  /** How many descriptors from 3 up the process inherits. */
  readonly preserveFds: number;
}

/** `create`. */
export interface CreateOptions extends ContainerTarget, ProcessEnds {
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Absolute path of the config where it is not `<bundle>/config.json`. */
  readonly configPath?: string;
  /** How many of the inherited descriptors, the first ones, the process is told of as its sockets (sd_listen_fds(3)). */
  readonly listenFds?: number;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly cgroupManager: CgroupManager;
}

/** `run`: create, start, and, unless detached, be there until it ends. */
export interface RunContainerOptions extends CreateOptions {
  readonly detach: boolean;
  /** Keep the container after its end. */
  readonly keep: boolean;
  readonly noSubreaper: boolean;
}

/** The process that `exec` starts: a process.json, or the config's process changed by flags. */
export type ExecProcess =
  | { readonly kind: "file"; readonly path: string }
  | {
      readonly kind: "arguments";
      readonly args: readonly string[];
      readonly cwd?: string;
      /** `NAME=value`, added to the config's. */
      readonly env: readonly string[];
      /** `<uid>[:<gid>]`, numbers. */
      readonly user?: { readonly uid: number; readonly gid?: number };
      readonly additionalGids: readonly number[];
      readonly tty: boolean;
      /** Added to all five sets of the config. */
      readonly capabilities: readonly string[];
      readonly noNewPrivileges: boolean;
      readonly apparmorProfile?: string;
      readonly selinuxLabel?: string;
    };

/** `exec`. */
export interface ExecOptions extends ContainerTarget, ProcessEnds {
  readonly process: ExecProcess;
  readonly detach: boolean;
  readonly ignorePaused: boolean;
  /** Existing sub-groups to run in: `[<controller>:]<path>`, relative to the container's. */
  readonly cgroups: readonly string[];
}
