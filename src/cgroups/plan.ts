/** What to write into a container's leaf for OCI `linux.resources`; pure. Devices are planned apart. */
import type { Resources } from "../spec/config.ts";
import { planBlockIo } from "./plan-block-io.ts";
import { PlanBuilder, type PlanContext, type ResourcePlan } from "./plan-builder.ts";
import { planCpu } from "./plan-cpu.ts";
import { planMemory } from "./plan-memory.ts";
import { planHugepages, planNetwork, planPids, planRdma, planUnified } from "./plan-others.ts";

/** Plans all limits but devices (OCI config-linux, "Control groups"). Never throws: see `faults`. */
export function planResources(resources: Resources, context: PlanContext): ResourcePlan {
  const builder = new PlanBuilder(context);
  if (resources.memory !== undefined) planMemory(builder, resources.memory);
  if (resources.cpu !== undefined) planCpu(builder, resources.cpu);
  if (resources.pids !== undefined) planPids(builder, resources.pids);
  if (resources.blockIO !== undefined) planBlockIo(builder, resources.blockIO);
  planHugepages(builder, resources.hugepageLimits ?? []);
  if (resources.network !== undefined) planNetwork(builder, resources.network);
  planRdma(builder, resources.rdma ?? {});
  planUnified(builder, resources.unified ?? {});
  return { writes: builder.writes, faults: builder.faults };
}
