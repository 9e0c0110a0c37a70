/** Everything that the C program does for `create`. Pure. */
import type { Config, TimeOffsets } from "../spec/config.ts";
import { parseMountOptions } from "../spec/mount-options.ts";
import { HOOK_NAMES } from "../spec/names.ts";
import { sysctlPath } from "../spec/sysctl.ts";
import { makesNamespace, namespaceOf } from "./config.ts";
import { addDevices } from "./device-plan.ts";
import { addHooks, stateTail } from "./hook-plan.ts";
import { type MountContext, planMounts } from "./mount-plan.ts";
import { Plan } from "./plan.ts";
import { type ProcessDecisions, planProcess } from "./process-plan.ts";

/** What the plan needs beside the config. */
export interface CreatePlanInput {
  readonly id: string;
  readonly config: Config;
  readonly bundle: string;
  /** Absolute. */
  readonly rootfs: string;
  /** Bind the root file system here first, for LXC to find it within reach of the mapped root. */
  readonly rootfsReach?: string;
  readonly files: {
    /** Folder that LXC takes for its own. */
    readonly lxcPath: string;
    readonly lxcConfig: string;
    /** Folder that the root file system may be mounted on. */
    readonly rootfs: string;
    readonly lxcLog: string;
    readonly startFifo: string;
    readonly resultFifo: string;
    /** Folder for the outcomes of hooks. */
    readonly hooks: string;
  };
  readonly monitorGroups: readonly string[];
  readonly mounts: MountContext;
  readonly process: ProcessDecisions;
  readonly listener?: { readonly path: string; readonly metadata: string };
  readonly consoleSocket?: string;
  /** A packet socket of ours, in place of `consoleSocket`. */
  readonly consoleFd?: number;
  readonly pidfdSocket?: string;
}

function addTime(plan: Plan, config: Config): void {
  const path = namespaceOf(config, "time")?.path;
  if (path) plan.add("time-path", path);
  if (!makesNamespace(config, "time")) return;
  plan.add("time-new", true);
  const offsets: TimeOffsets = config.linux?.timeOffsets ?? {};
  for (const clock of ["monotonic", "boottime"] as const) {
    const offset = offsets[clock];
    if (offset !== undefined)
      plan.add("time-offset", `${clock} ${offset.secs ?? 0} ${offset.nanosecs ?? 0}\n`);
  }
}

/** The root's own propagation, when the config names one. */
function rootPropagation(config: Config): number | undefined {
  const name = config.linux?.rootfsPropagation;
  return name === undefined ? undefined : parseMountOptions([name]).propagation[0];
}

/** The plan of `native create`. */
export function planCreate(input: CreatePlanInput): Plan {
  const { config, files } = input;
  const { linux, hooks } = config;
  const plan = new Plan()
    .add("id", input.id)
    .add("rootfs", input.rootfs)
    .add("rootfs-reach", input.rootfsReach)
    .add("lxc-path", files.lxcPath)
    .add("lxc-config", files.lxcConfig)
    .add("lxc-log", files.lxcLog)
    .add("start-fifo", files.startFifo)
    .add("result-fifo", files.resultFifo)
    .add("hooks-folder", files.hooks)
    .addAll("monitor-cgroup", input.monitorGroups)
    .add("console-socket", input.consoleSocket)
    .add("console-fd", input.consoleFd)
    .add("pidfd-socket", input.pidfdSocket)
    .add("oci-version", config.ociVersion)
    .add(
      "state",
      stateTail({ ...config, annotations: config.annotations ?? {}, id: input.id, bundle: input.bundle }),
    )
    .add("hostname", config.hostname)
    .add("domainname", config.domainname)
    .add("user-namespace", namespaceOf(config, "user") !== undefined)
    .add("loopback", makesNamespace(config, "network"))
    .add("root-readonly", config.root.readonly)
    .add("root-propagation", rootPropagation(config));
  for (const record of planMounts(config.mounts ?? [], input.mounts)) plan.add(record.key, record.plan);
  addDevices(plan, config, namespaceOf(config, "user") !== undefined);
  for (const [name, value] of Object.entries(linux?.sysctl ?? {})) {
    plan.add("sysctl", new Plan().add("path", `sys/${sysctlPath(name) ?? name}`).add("value", value));
  }
  plan
    .addAll("masked", linux?.maskedPaths)
    .addAll("readonly", linux?.readonlyPaths)
    .add("mask-data", input.mounts.mountLabel ? `context="${input.mounts.mountLabel}"` : undefined);
  addTime(plan, config);
  // LXC makes a new cgroup namespace where it should join one.
  plan.add("cgroup-namespace", namespaceOf(config, "cgroup")?.path || undefined);
  if (!makesNamespace(config, "mount")) {
    plan
      .add("mount-namespace", namespaceOf(config, "mount")?.path ?? "/proc/self/ns/mnt")
      .add("mount-place", files.rootfs);
  }
  plan.add("runtime-hooks", (hooks?.prestart?.length ?? 0) + (hooks?.createRuntime?.length ?? 0) > 0);
  for (const kind of HOOK_NAMES) {
    const inRuntime = kind === "prestart" || kind === "createRuntime";
    addHooks(plan, kind, hooks?.[kind], inRuntime ? input.bundle : undefined);
  }
  if (input.listener !== undefined) {
    plan
      .add("listener-path", input.listener.path)
      .add(
        "listener-metadata",
        input.listener.metadata ? JSON.stringify(input.listener.metadata) : undefined,
      );
  }
  // The affinity is for processes of exec only (config.md, "execCPUAffinity").
  const { execCPUAffinity: _, ...process } = config.process;
  return plan.add("process", planProcess(process, linux, input.process));
}
