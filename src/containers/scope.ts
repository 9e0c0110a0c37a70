/** systemd's scope around a container's leaf: its start, and its limits. */
import type { Leaf } from "../cgroups/leaf.ts";
import type { HeldScope } from "../cgroups/systemd.ts";
import type { Resources } from "../spec/config.ts";
import type { ContainerRecord } from "./record.ts";

/**
 * Starts the scope that the record names, with the annotations' properties; its limits come when init is ready, so
 * that they hit the container and not what sets it up. It lives as long as it is held, then as long as a process is
 * in it. Undefined where systemd has no part in it.
 * @throws CgroupError `systemd-missing`, `systemd-unit-failed`, `systemd-timeout`, `systemd-property-invalid`
 */
export async function holdScope({
  id,
  cgroup,
  annotations,
}: ContainerRecord): Promise<HeldScope | undefined> {
  const scope = cgroup?.scope;
  if (scope === undefined) return undefined;
  const { annotationProperties, mergeProperties, scopeProperties } = await import(
    "../cgroups/systemd-properties.ts"
  );
  const { startScope } = await import("../cgroups/systemd.ts");
  const asked = annotationProperties(annotations);
  return startScope(scope, (pid) => mergeProperties(scopeProperties(id, scope.slice, pid), asked));
}

/**
 * Tells systemd the limits that it knows too, or it would undo them; its scope is the leaf's parent, so it goes
 * first. What the annotations set stays.
 * @throws CgroupError `systemd-unit-failed`
 */
export async function limitScope(record: ContainerRecord, leaf: Leaf, resources: Resources): Promise<void> {
  const scope = record.cgroup?.scope;
  if (scope === undefined) return;
  const { annotationProperties, resourceProperties } = await import("../cgroups/systemd-properties.ts");
  const { setScope } = await import("../cgroups/systemd.ts");
  const asked = new Set(annotationProperties(record.annotations).map(({ name }) => name));
  const limits = resourceProperties(resources, leaf.version("memory") === 1 ? 1 : 2);
  await setScope(
    scope.unit,
    limits.filter(({ name }) => !asked.has(name)),
  );
}
