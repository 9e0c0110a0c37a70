/** New limits for a container that is there. */
import { readFileSync } from "node:fs";
import { applyResources, ResourcesRefused } from "../cgroups/apply.ts";
import type { Config, IntelRdt, Resources } from "../spec/config.ts";
import { ContainerError, wrongStatus } from "./errors.ts";
import { leafOf } from "./leaf.ts";
import type { ContainerTarget } from "./options.ts";
import type { ContainerRecord } from "./record.ts";
import { limitScope } from "./scope.ts";
import { statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

/** What `update` changes; what is absent stays. */
export interface Limits {
  readonly resources: Resources;
  readonly intelRdt?: IntelRdt;
}

/**
 * Applies what is given and leaves the rest.
 * @throws ContainerError `container-not-found`, `wrong-status` for a container that has ended, `no-cgroup`
 * @throws CgroupError `resources-refused` before anything is changed, listing every property that this machine
 *   cannot apply; `cgroup-limit-failed`, after which the old limits hold
 */
export async function updateContainer({ store, id }: ContainerTarget, limits: Limits): Promise<void> {
  // Before the lock: asking for what is not there must leave no lock file.
  store.load(id);
  using _lock = await store.lock(id);
  const record = store.load(id);
  const status = statusOf(store, record);
  if (status === "stopped" || status === "creating") throw wrongStatus(id, "update", status);
  const leaf = leafOf(record);
  if (leaf === undefined) {
    throw new ContainerError("no-cgroup", `container ${JSON.stringify(id)} has no cgroup: it has no limits`);
  }
  const { resources, intelRdt } = limits;
  if (intelRdt !== undefined) await updateRdt(store, record, intelRdt);
  await limitScope(record, leaf, resources);
  applyResources(leaf, resources);
  if (resources.devices !== undefined && resources.devices.length > 0) {
    const { applyDevices } = await import("../cgroups/devices.ts");
    await applyDevices(leaf, resources.devices);
  }
}

async function updateRdt(store: ContainerStore, record: ContainerRecord, change: IntelRdt): Promise<void> {
  const { applyRdt, planRdt, probeRdt, resctrlRoot } = await import("../cgroups/rdt.ts");
  const config = JSON.parse(readFileSync(store.configPath(record.id), "utf8")) as Config;
  const rdt: IntelRdt = { ...config.linux?.intelRdt, ...change };
  const root = resctrlRoot();
  const faults = probeRdt(rdt, root);
  if (faults.length > 0 || root === undefined || record.init === undefined)
    throw new ResourcesRefused(faults);
  applyRdt(rdt, planRdt(rdt, root, record.id), record.init.pid);
}
