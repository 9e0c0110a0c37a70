/** Which of the asked limits this machine can apply, found out before anything of a container is made. */
import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { errnoOf } from "../host/errors.ts";
import type { DeviceRule, Resources } from "../spec/config.ts";
import { DEFAULT_RULES, policyOf } from "./device-rules.ts";
import { CgroupError, type CgroupLayout, type Hierarchy, hierarchyOf } from "./hierarchy.ts";
import { enableBelow } from "./leaf-lifecycle.ts";
import { planResources } from "./plan.ts";
import type { ResourceFault } from "./plan-builder.ts";

/** Files that every group of its controller has, on every kernel that this program runs on. */
const ALWAYS = new Set([
  "memory.limit_in_bytes",
  "memory.soft_limit_in_bytes",
  "memory.max",
  "memory.low",
  "cpu.shares",
  "cpu.weight",
  "cpuset.cpus",
  "cpuset.mems",
  "pids.max",
]);
/** Existing groups that are looked at before one is made to look at. */
const SAMPLES = 4;

/**
 * Faults of `resources` on this machine; empty where all can be applied. Where neither the base group nor
 * another group shows whether a file exists, a group is made for the moment.
 */
export function probeResources(layout: CgroupLayout, resources: Resources): readonly ResourceFault[] {
  using probe = new Probe(layout);
  const { faults } = planResources(resources, {
    version: (controller) => hierarchyOf(layout, controller)?.version,
    has: (controller, file) => probe.has(controller, file),
    read: () => undefined,
  });
  return [...deviceFaults(layout, resources.devices ?? []), ...faults];
}

/** Rules that cannot be kept, or not on this machine. */
function deviceFaults(layout: CgroupLayout, rules: readonly DeviceRule[]): ResourceFault[] {
  const path = "linux.resources.devices";
  if (rules.length > 0 && hierarchyOf(layout, "devices") === undefined) {
    return [
      {
        path,
        message: "this machine has neither cgroup v2 nor the v1 devices controller",
        probe: "controller",
      },
    ];
  }
  try {
    policyOf([...rules, ...DEFAULT_RULES]);
    return [];
  } catch (error) {
    if (!(error instanceof CgroupError)) throw error;
    return [{ path, message: error.message.replace(`${path}: `, ""), probe: "value" }];
  }
}

class Probe implements Disposable {
  readonly #layout: CgroupLayout;
  readonly #made = new Map<string, string>();

  constructor(layout: CgroupLayout) {
    this.#layout = layout;
  }

  has(controller: string, file: string): boolean {
    const hierarchy = hierarchyOf(this.#layout, controller);
    if (hierarchy === undefined) return false;
    if (ALWAYS.has(file) || existsSync(`${hierarchy.root}/${file}`)) return true;
    return this.#samples(hierarchy).some((folder) => existsSync(`${folder}/${file}`))
      ? true
      : existsSync(`${this.#make(hierarchy)}/${file}`);
  }

  #samples(hierarchy: Hierarchy): string[] {
    return readdirSync(hierarchy.root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .slice(0, SAMPLES)
      .map((entry) => `${hierarchy.root}/${entry.name}`);
  }

  #make(hierarchy: Hierarchy): string {
    const made = this.#made.get(hierarchy.key);
    if (made !== undefined) return made;
    if (hierarchy.version === 2) enableBelow(hierarchy.root, hierarchy.root, hierarchy.controllers);
    const folder = `${hierarchy.root}/lxcri-probe-${process.pid}`;
    try {
      mkdirSync(folder);
    } catch (error) {
      // Left by a process of this number that was killed: as good as ours.
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    this.#made.set(hierarchy.key, folder);
    return folder;
  }

  [Symbol.dispose](): void {
    for (const folder of this.#made.values()) rmdirSync(folder);
  }
}
