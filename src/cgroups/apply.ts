/** Applies limits to a container's leaf: after create, and for update. */
import { errnoOf, messageOf } from "../host/errors.ts";
import type { Resources } from "../spec/config.ts";
import { CgroupError } from "./hierarchy.ts";
import type { Leaf } from "./leaf.ts";
import { planResources } from "./plan.ts";
import type { PlanContext, ResourceFault, Write } from "./plan-builder.ts";

/** Properties that cannot be applied; `faults` has one entry for each. */
export class ResourcesRefused extends CgroupError {
  readonly faults: readonly ResourceFault[];

  constructor(faults: readonly ResourceFault[]) {
    super("resources-refused", faults.map((fault) => `${fault.path}: ${fault.message}`).join("; "));
    this.faults = faults;
  }
}

/** What a plan reads of an existing leaf. */
export const contextOf = (leaf: Leaf): PlanContext => ({
  version: (controller) => leaf.version(controller),
  has: (controller, file) => leaf.has(controller, file),
  read: (controller, file) => leaf.read(controller, file),
});

/**
 * Writes all limits but devices. When one write fails, those before it are taken back, so that an update is done
 * or not done.
 * @throws ResourcesRefused `resources-refused` before anything is written
 * @throws CgroupError `cgroup-limit-failed` naming property, value and cause
 */
export function applyResources(leaf: Leaf, resources: Resources): void {
  const { writes, faults } = planResources(resources, contextOf(leaf));
  if (faults.length > 0) throw new ResourcesRefused(faults);
  const undo: Write[] = [];
  try {
    for (const write of writes) {
      const before = leaf.read(write.controller, write.file);
      leaf.write(write.controller, write.file, write.value);
      if (before !== undefined && isWhole(before)) undo.unshift({ ...write, value: before });
    }
  } catch (error) {
    for (const { controller, file, value } of undo) takeBack(leaf, controller, file, value);
    throw limitError(leaf, writes, error);
  }
}

/** Whether a file's content, written back, restores it: one line, not keyed by device. */
const isWhole = (content: string): boolean => /^[\w,-]+( \d+)?$/.test(content);

function takeBack(leaf: Leaf, controller: string, file: string, value: string): void {
  try {
    leaf.write(controller, file, value);
  } catch (error) {
    // The first error is the one to report; the container is ended or updated again after it.
    if (!(error instanceof CgroupError)) throw error;
  }
}

function limitError(leaf: Leaf, writes: readonly Write[], error: unknown): unknown {
  if (!(error instanceof CgroupError)) return error;
  const failed = writes.find((w) => error.message.includes(`/${w.file}:`));
  const errno = errnoOf(error.cause);
  const property = failed?.path ?? "linux.resources";
  if (failed?.file === "memory.limit_in_bytes" && errno === "EBUSY") {
    const usage = leaf.read("memory", "memory.usage_in_bytes");
    const peak = leaf.read("memory", "memory.max_usage_in_bytes");
    return new CgroupError(
      "cgroup-limit-failed",
      `${property}: unable to set memory limit to ${failed.value} (current usage: ${usage}, peak usage: ${peak})`,
      { cause: error },
    );
  }
  const hint = errno === "EINVAL" || errno === "ERANGE" ? " (the kernel takes no such value here)" : "";
  return new CgroupError("cgroup-limit-failed", `${property}: ${messageOf(error)}${hint}`, { cause: error });
}
