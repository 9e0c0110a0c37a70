/** New limits for a container that is there. */
import { applyResources } from "../cgroups/apply.ts";
import type { Resources } from "../spec/config.ts";
import { ContainerError, wrongStatus } from "./errors.ts";
import { leafOf } from "./leaf.ts";
import type { ContainerTarget } from "./options.ts";
import { statusOf } from "./status.ts";

/**
 * Applies what is given and leaves the rest; done wholly or not at all.
 * @throws ContainerError `wrong-status` for a container that has ended, `no-cgroup`
 * @throws CgroupError `resources-refused` listing every property that this machine cannot apply
 */
export async function updateContainer({ store, id }: ContainerTarget, resources: Resources): Promise<void> {
  using _lock = await store.lock(id);
  const record = store.load(id);
  const status = statusOf(store, record);
  if (status === "stopped" || status === "creating") throw wrongStatus(id, "update", status);
  const leaf = leafOf(record);
  if (leaf === undefined) {
    throw new ContainerError("no-cgroup", `container ${JSON.stringify(id)} has no cgroup: it has no limits`);
  }
  applyResources(leaf, resources);
}
