/** The limits of a container whose init is there and waits: resources, devices, who owns the group. */
import { applyResources } from "../cgroups/apply.ts";
import { applyDevices } from "../cgroups/devices.ts";
import { delegateLeaf } from "../cgroups/leaf-lifecycle.ts";
import { makesNamespace, namespaceOf } from "../lxc/config.ts";
import { toHostId } from "../security/userns.ts";
import type { Config } from "../spec/config.ts";
import { leafOf } from "./leaf.ts";
import type { ContainerRecord } from "./record.ts";
import { limitScope } from "./scope.ts";

/**
 * Applies `linux.resources` to the container's leaf, and gives the leaf to the mapped root where the container may
 * manage it. Does nothing where the caller wants no cgroup manager.
 */
export async function limitContainer(record: ContainerRecord, config: Config): Promise<void> {
  const { linux } = config;
  const leaf = leafOf(record);
  if (leaf === undefined || record.cgroupManager === "disabled") return;
  if (linux?.resources !== undefined) {
    await limitScope(record, leaf, linux.resources);
    applyResources(leaf, linux.resources);
  }
  await applyDevices(leaf, linux?.resources?.devices ?? []);
  if (namespaceOf(config, "user") === undefined || !makesNamespace(config, "cgroup")) return;
  const uid = toHostId(linux?.uidMappings ?? [], 0);
  const gid = toHostId(linux?.gidMappings ?? [], 0);
  if (uid !== undefined && gid !== undefined) delegateLeaf(leaf, uid, gid);
}
