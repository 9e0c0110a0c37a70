/** OCI `pids`, `hugepageLimits`, `network`, `rdma` and `unified` → v1 and v2. */
import type { HugepageLimit, Network, Pids, Rdma, StringMap } from "../spec/config.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** −1 lifts the limit; 0 is a limit (spec 1.3.0). */
export function planPids(builder: PlanBuilder, pids: Pids): void {
  if (pids.limit === undefined || builder.need("pids.limit", "pids") === undefined) return;
  builder.put("pids.limit", "pids", "pids.max", pids.limit < 0 ? "max" : pids.limit);
}

/** Page faults and, where the kernel counts them, reservations are limited alike. */
export function planHugepages(builder: PlanBuilder, limits: readonly HugepageLimit[]): void {
  for (const [i, { pageSize, limit }] of limits.entries()) {
    const property = `hugepageLimits[${i}]`;
    const version = builder.need(property, "hugetlb");
    if (version === undefined) continue;
    if (!/^[1-9]\d*[KMG]B$/.test(pageSize)) {
      builder.fault(property, "value", `${JSON.stringify(pageSize)} is no page size such as 2MB`);
      continue;
    }
    const suffix = version === 1 ? "limit_in_bytes" : "max";
    builder.put(property, "hugetlb", `hugetlb.${pageSize}.${suffix}`, limit);
    const reserved = `hugetlb.${pageSize}.rsvd.${suffix}`;
    if (builder.context.has("hugetlb", reserved)) builder.put(property, "hugetlb", reserved, limit);
  }
}

/** net_cls and net_prio exist on v1 only. */
export function planNetwork(builder: PlanBuilder, network: Network): void {
  if (network.classID !== undefined && builder.need("network.classID", "net_cls") !== undefined) {
    builder.put("network.classID", "net_cls", "net_cls.classid", network.classID);
  }
  const priorities = network.priorities ?? [];
  if (priorities.length === 0 || builder.need("network.priorities", "net_prio") === undefined) return;
  for (const [i, { name, priority }] of priorities.entries()) {
    if (/^[^\s/]{1,15}$/.test(name)) {
      builder.put(`network.priorities[${i}]`, "net_prio", "net_prio.ifpriomap", `${name} ${priority}`);
    } else {
      builder.fault(`network.priorities[${i}]`, "value", `${JSON.stringify(name)} is no interface name`);
    }
  }
}

/** Both versions have the same file. */
export function planRdma(builder: PlanBuilder, rdma: Readonly<Record<string, Rdma>>): void {
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(rdma)) {
    const property = `rdma.${device}`;
    if (builder.need(property, "rdma") === undefined) continue;
    const limits = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ];
    if (!/^[^\s/]+$/.test(device) || limits.length === 0) {
      builder.fault(property, "value", "wants a device name with hcaHandles, hcaObjects or both");
    } else {
      builder.put(property, "rdma", "rdma.max", `${device} ${limits.join(" ")}`);
    }
  }
}

/** Core files that move or stop processes instead of limiting them. */
const NO_RESOURCE = new Set([
  "cgroup.procs",
  "cgroup.threads",
  "cgroup.kill",
  "cgroup.freeze",
  "cgroup.type",
  "cgroup.subtree_control",
]);

/** Writes v2 files as they are named; several lines are several writes, as io.max wants them. */
export function planUnified(builder: PlanBuilder, unified: StringMap): void {
  for (const [file, value] of Object.entries(unified)) {
    const property = `unified["${file}"]`;
    const controller = /^([a-z0-9_]+)\.[A-Za-z0-9._]+$/.exec(file)?.[1];
    if (controller === undefined || NO_RESOURCE.has(file)) {
      builder.fault(property, "value", "is no resource file of cgroup v2 (CONTROLLER.PARAMETER)");
      continue;
    }
    const version = builder.need(property, controller);
    if (version === undefined) continue;
    if (version === 1) {
      builder.fault(property, "version", `this machine has the ${controller} controller on cgroup v1`);
      continue;
    }
    const lines = value.split("\n").filter((line) => line.trim() !== "");
    for (const line of lines.length === 0 ? [""] : lines) builder.put(property, controller, file, line);
  }
}
