/**
 * Changes of a container's configuration: which apply at once, which wait for the next start, and what a running
 * container needs for the former. Pure: it plans; another room carries the steps out.
 */
import { messageOf } from "../host/errors.ts";
import { acceptedValue, type ChangeSubject, checkRemoval } from "./change-rules.ts";
import { type ContainerConfig, copyConfig } from "./config-text.ts";
import { numberedKey } from "./container-schema.ts";
import type { HotplugStep } from "./hotplug-steps.ts";
import { cpuQuota, memoryHigh } from "./lxc-config.ts";
import {
  asksForNewVolume,
  classifyVolume,
  parseMountPoint,
  printMountPoint,
  readMountPoint,
} from "./mount-point.ts";
import { parseNet, printNet } from "./net-interface.ts";
import { type HotplugNode, NicPlanner } from "./nic-plan.ts";
import { dropIdlePending, queueDelete, readDeleteQueue, unqueueDelete } from "./pending.ts";
import { isVolumeInUse, keepVolume } from "./unused-volumes.ts";

/** What is asked for. The three do not name the same key. */
export interface ConfigChange {
  /** Keys to set, with their values. */
  readonly set?: ReadonlyMap<string, string>;
  /** Keys to remove. */
  readonly remove?: readonly string[];
  /** Keys whose waiting change is to be dropped. */
  readonly revert?: readonly string[];
}

/** What planning must know of the node and the container. */
export interface UpdateContext {
  readonly vmid: number;
  /** True: apply to the running container what can be, let the rest wait. False: apply everything. */
  readonly running: boolean;
  readonly node: HotplugNode;
  /** A MAC address for an interface that names none. */
  generateMac(): string;
}

/** The configuration as it will be once all steps have succeeded, and the steps. */
export interface UpdatePlan {
  readonly config: ContainerConfig;
  /** For the running container, in order; each belongs to the key that asked for it. */
  readonly steps: readonly { readonly key: string; readonly step: HotplugStep }[];
  /** Keys that could not be applied, with the reason; they wait in `[pve:pending]`. */
  readonly errors: ReadonlyMap<string, string>;
  /** What was asked for and means nothing, one sentence each. */
  readonly warnings: readonly string[];
}

/** Keys that take effect at once without touching the container. */
const IMMEDIATE = new Set([
  "cores",
  "description",
  "hookscript",
  "hostname",
  "lock",
  "onboot",
  "protection",
  "startup",
  "tags",
]);

const MIB = 2 ** 20;
const CPU_PERIOD = 100_000;

/**
 * Plans a change.
 *
 * @throws LxcriError where the change as a whole is refused; nothing is to be applied then. A
 * `PropertyStringError` names the properties at fault.
 */
export function planUpdate(
  current: ContainerConfig,
  change: ConfigChange,
  context: UpdateContext,
): UpdatePlan {
  const planner = new UpdatePlanner(copyConfig(current), context);
  planner.revert(change.revert ?? []);
  planner.queueRemovals(change.remove ?? []);
  planner.queueChanges(change.set ?? new Map());
  dropIdlePending(planner.config);
  if (context.running) planner.applyToRunning();
  else planner.applyToStopped();
  return planner;
}

/** Why a key is left to wait: it can only change at the next start. */
const WAIT = Symbol("wait");

class UpdatePlanner implements UpdatePlan {
  readonly steps: { key: string; step: HotplugStep }[] = [];
  readonly errors = new Map<string, string>();
  readonly warnings: string[] = [];
  private readonly touched = new Set<string>();

  constructor(
    readonly config: ContainerConfig,
    private readonly context: UpdateContext,
  ) {}

  revert(keys: readonly string[]): void {
    for (const key of keys) {
      this.config.pending.values.delete(key);
      unqueueDelete(this.config, key);
    }
  }

  queueRemovals(keys: readonly string[]): void {
    for (const key of keys) {
      if (!this.config.values.has(key) && !this.config.pending.values.has(key)) {
        this.warnings.push(`cannot remove '${key}': it is not set`);
        continue;
      }
      this.touched.add(key);
      checkRemoval(this.subject(), key);
      queueDelete(this.config, key);
    }
  }

  queueChanges(changes: ReadonlyMap<string, string>): void {
    for (const key of [...changes.keys()].sort()) {
      this.touched.add(key);
      const value = acceptedValue(this.subject(), key, changes.get(key) ?? "");
      this.config.pending.values.set(key, value);
      unqueueDelete(this.config, key);
    }
  }

  /** Applies everything, since nothing runs that could be in the way. */
  applyToStopped(): void {
    for (const key of this.queuedRemovals()) {
      this.attempt(key, () => {
        this.releaseVolume(key);
        this.removeNow(key);
      });
    }
    dropIdlePending(this.config);
    for (const key of this.queuedChanges()) {
      this.attempt(key, () => {
        const before = this.config.values.get(key);
        const value = this.printedValue(key, this.pendingValue(key));
        this.setNow(key, value);
        const isReplaced = before !== undefined && numberedKey(key)?.family === "mp";
        if (isReplaced && readMountPoint(key, before)?.volume !== readMountPoint(key, value)?.volume)
          keepVolume(this.config, key, before);
      });
    }
  }

  /** Applies what a running container can take; the rest waits. */
  applyToRunning(): void {
    for (const key of this.queuedChanges()) if (IMMEDIATE.has(key)) this.setNow(key, this.pendingValue(key));
    for (const key of this.queuedRemovals()) {
      this.attempt(key, () => {
        this.unplug(key);
        this.removeNow(key);
      });
    }
    this.plugMemory();
    for (const key of this.queuedChanges()) {
      this.attempt(key, () => this.setNow(key, this.plug(key, this.pendingValue(key))));
    }
  }

  private subject(): ChangeSubject {
    return { vmid: this.context.vmid, config: this.config, node: this.context.node };
  }

  private queuedRemovals(): string[] {
    return [...readDeleteQueue(this.config.pending).keys()].sort().filter((key) => this.touched.has(key));
  }

  private queuedChanges(): string[] {
    const keys = [...this.config.pending.values.keys()].sort();
    return keys.filter((key) => key !== "delete" && this.touched.has(key));
  }

  private pendingValue(key: string): string {
    return this.config.pending.values.get(key) ?? "";
  }

  private removeNow(key: string): void {
    this.config.values.delete(key);
    unqueueDelete(this.config, key);
  }

  private setNow(key: string, value: string): void {
    this.config.values.set(key, value);
    this.config.pending.values.delete(key);
  }

  /** Runs one key's change; where it throws, the key waits and the reason is kept. */
  private attempt(key: string, apply: () => void): void {
    const planned = this.steps.length;
    try {
      apply();
    } catch (reason) {
      this.steps.length = planned;
      if (reason !== WAIT) this.errors.set(key, messageOf(reason));
    }
  }

  private push(key: string, ...steps: readonly HotplugStep[]): void {
    for (const step of steps) this.steps.push({ key, step });
  }

  private unplug(key: string): void {
    const numbered = numberedKey(key);
    if (IMMEDIATE.has(key)) return;
    if (key === "swap") this.push(key, { do: "set-memory", swap: 0 });
    else if (key === "cpulimit") this.push(key, { do: "set-cpu-quota", period: CPU_PERIOD });
    else if (key === "cpuunits") this.push(key, { do: "set-cpu-weight" });
    else if (numbered?.family === "unused") this.deleteUnused(key);
    else if (numbered?.family === "net")
      this.push(key, ...this.nic(numbered.index).remove(parseNet(this.config.values.get(key) ?? "")));
    else throw WAIT;
  }

  private plug(key: string, value: string): string {
    const numbered = numberedKey(key);
    if (key === "cpulimit") {
      const limit = Number(value) > 0 ? { quota: cpuQuota(value) } : {};
      this.push(key, { do: "set-cpu-quota", ...limit, period: CPU_PERIOD });
    } else if (key === "cpuunits") {
      this.push(key, { do: "set-cpu-weight", weight: Number(value) });
    } else if (numbered?.family === "net") {
      const current = this.config.values.get(key);
      const { properties, text } = this.printedNet(value);
      const before = current === undefined ? undefined : parseNet(current);
      this.push(key, ...this.nic(numbered.index).change(before, properties));
      return text;
    } else if (numbered?.family === "mp" && !this.config.values.has(key)) {
      const printed = this.printedValue(key, value);
      this.push(key, { do: "mount", key, value: printed });
      return printed;
    } else if (numbered?.family === "dev" && !this.config.values.has(key)) {
      this.push(key, { do: "add-device", key, value });
    } else if (key !== "memory" && key !== "swap") {
      throw WAIT;
    }
    return value;
  }

  /** Memory and swap are one step, so that the kernel never sees one without the other. */
  private plugMemory(): void {
    const keys = this.queuedChanges().filter((key) => key === "memory" || key === "swap");
    const [first] = keys;
    if (first === undefined) return;
    const bytes = (key: string): number => Math.trunc(Number(this.pendingValue(key)) * MIB);
    const max = bytes("memory");
    this.push(first, {
      do: "set-memory",
      ...(keys.includes("memory") ? { max, high: memoryHigh(max) } : {}),
      ...(keys.includes("swap") ? { swap: bytes("swap") } : {}),
    });
  }

  private nic(index: number): NicPlanner {
    return new NicPlanner(this.context.node, this.context.vmid, index);
  }

  /** A value in the form in which it is kept: properties in order, a new volume's as it was asked for. */
  private printedValue(key: string, value: string): string {
    const family = numberedKey(key)?.family;
    if (family === "net") return this.printedNet(value).text;
    if (family !== "mp") return value;
    const mountPoint = parseMountPoint(key, value);
    return asksForNewVolume(mountPoint.volume) ? value : printMountPoint(key, mountPoint);
  }

  private printedNet(value: string): { properties: Map<string, string>; text: string } {
    const properties = parseNet(value);
    if (!properties.has("hwaddr")) properties.set("hwaddr", this.context.generateMac());
    return { properties, text: printNet(properties) };
  }

  /** A volume that is no longer mounted stays the container's own. */
  private releaseVolume(key: string): void {
    const family = numberedKey(key)?.family;
    if (family === "unused") this.deleteUnused(key);
    if (family === "mp") keepVolume(this.config, key, this.config.values.get(key) ?? "");
  }

  private deleteUnused(key: string): void {
    const volume = readMountPoint(key, this.config.values.get(key) ?? "")?.volume;
    if (volume === undefined || classifyVolume(volume) !== "volume") return;
    if (!isVolumeInUse(this.config, volume)) this.push(key, { do: "delete-volume", volume });
  }
}
