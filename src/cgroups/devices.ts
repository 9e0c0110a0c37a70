/** Device access of a container: OCI rules applied to its leaf, on v1 and v2. */
import type { DeviceRule } from "../spec/config.ts";
import { DEFAULT_RULES, linesBetween, policyOf, policyOfList } from "./device-rules.ts";
import { CgroupError } from "./hierarchy.ts";
import type { Leaf } from "./leaf.ts";

/**
 * Applies the config's rules followed by {@link DEFAULT_RULES}; again on update, without a moment in which more or
 * less is allowed than before and after.
 * @throws CgroupError `device-rule-unsupported`, `device-program-failed`, `cgroup-write-failed`
 */
export async function applyDevices(leaf: Leaf, rules: readonly DeviceRule[]): Promise<void> {
  const policy = policyOf([...rules, ...DEFAULT_RULES]);
  if (leaf.version("devices") === 1) {
    const present = policyOfList(leaf.read("devices", "devices.list") ?? "");
    for (const { file, value } of linesBetween(present, policy)) leaf.write("devices", file, value);
    return;
  }
  if (leaf.unified === undefined) {
    throw new CgroupError("device-controller-missing", "device rules: no cgroup hierarchy can hold them", {
      fix: "Mount cgroup v2, or the v1 devices controller.",
    });
  }
  const [{ assemble }, { attachDeviceProgram }] = await Promise.all([
    import("./device-program.ts"),
    import("./device-bpf.ts"),
  ]);
  attachDeviceProgram(leaf.unified, assemble(policy));
}
