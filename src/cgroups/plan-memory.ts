/** OCI `memory` → memory controller of v1 and v2. */
import type { Integer64, Memory } from "../spec/config.ts";
import type { PlanBuilder } from "./plan-builder.ts";

const UNLIMITED = -1n;

/** A given limit as bigint; 0 and absent both mean "leave it", as runc reads them. */
const limitOf = (value: Integer64 | undefined): bigint | undefined =>
  value === undefined || BigInt(value) === 0n ? undefined : BigInt(value);

/** Plans the memory limits in an order that the kernel accepts while raising and while lowering them. */
export function planMemory(builder: PlanBuilder, memory: Memory): void {
  const version = builder.need("memory", "memory");
  if (version === undefined) return;
  const limit = limitOf(memory.limit);
  const swap = limitOf(memory.swap);
  for (const [name, value] of Object.entries({ limit, swap, reservation: limitOf(memory.reservation) })) {
    if (value !== undefined && value < UNLIMITED) {
      builder.fault(`memory.${name}`, "value", `${value} is neither a number of bytes nor -1`);
    }
  }
  if (limit !== undefined && limit > 0n && swap !== undefined && swap > 0n && swap < limit) {
    builder.fault("memory.swap", "value", `memory+swap ${swap} is below the memory limit ${limit}`);
  }
  if (memory.swappiness !== undefined && memory.swappiness > 100) {
    builder.fault("memory.swappiness", "value", `${memory.swappiness} is not within 0 to 100`);
  }
  if (version === 1) planV1(builder, memory, limit, swap);
  else planV2(builder, memory, limit, swap);
}

function planV1(
  builder: PlanBuilder,
  memory: Memory,
  limit: bigint | undefined,
  swap: bigint | undefined,
): void {
  const memsw = "memory.memsw.limit_in_bytes";
  // Lifting the memory limit lifts the sum too, else the old sum would go on limiting.
  const total = swap ?? (limit === UNLIMITED && builder.context.has("memory", memsw) ? UNLIMITED : undefined);
  const putLimit = () => {
    if (limit !== undefined) builder.put("memory.limit", "memory", "memory.limit_in_bytes", limit);
  };
  const putTotal = () => {
    if (total === undefined) return;
    if (total === UNLIMITED && !builder.context.has("memory", memsw)) return;
    builder.put("memory.swap", "memory", memsw, total);
  };
  // The kernel refuses a state in which limit > limit with swap, also for a moment.
  const current = builder.number("memory", "memory.limit_in_bytes");
  const sumFirst = total === UNLIMITED || (total !== undefined && current !== undefined && current < total);
  if (sumFirst) putTotal();
  putLimit();
  if (!sumFirst) putTotal();

  const reservation = limitOf(memory.reservation);
  if (reservation !== undefined) {
    builder.put("memory.reservation", "memory", "memory.soft_limit_in_bytes", reservation);
  }
  const kernel = limitOf(memory.kernel);
  if (kernel !== undefined && kernel > 0n) {
    builder.put("memory.kernel", "memory", "memory.kmem.limit_in_bytes", kernel);
  }
  const kernelTCP = limitOf(memory.kernelTCP);
  if (kernelTCP !== undefined) {
    builder.put("memory.kernelTCP", "memory", "memory.kmem.tcp.limit_in_bytes", kernelTCP);
  }
  if (memory.useHierarchy !== undefined) {
    const value = memory.useHierarchy ? "1" : "0";
    const present = builder.context.read("memory", "memory.use_hierarchy") ?? "1";
    if (present !== value) builder.put("memory.useHierarchy", "memory", "memory.use_hierarchy", value);
  }
  if (memory.swappiness !== undefined) {
    builder.put("memory.swappiness", "memory", "memory.swappiness", memory.swappiness);
  }
  if (memory.disableOOMKiller !== undefined) {
    builder.put("memory.disableOOMKiller", "memory", "memory.oom_control", memory.disableOOMKiller ? 1 : 0);
  }
}

const orMax = (value: bigint): string => (value === UNLIMITED ? "max" : String(value));

/** v2 counts swap alone, OCI memory and swap together. Undefined: nothing to write. */
function swapAlone(
  builder: PlanBuilder,
  limit: bigint | undefined,
  swap: bigint | undefined,
): string | undefined {
  if (swap === undefined) return limit === UNLIMITED ? "max" : undefined;
  if (swap === UNLIMITED) return "max";
  if (limit === UNLIMITED) return String(swap);
  const memory = limit ?? builder.number("memory", "memory.max");
  if (memory === undefined) {
    if (builder.context.read("memory", "memory.max") === "max") return String(swap);
    builder.fault("memory.swap", "value", "a limit for memory+swap needs memory.limit too");
    return undefined;
  }
  if (swap < memory) {
    if (limit === undefined) {
      builder.fault(
        "memory.swap",
        "value",
        `memory+swap ${swap} is below the present memory limit ${memory}`,
      );
    }
    return undefined;
  }
  return String(swap - memory);
}

function planV2(
  builder: PlanBuilder,
  memory: Memory,
  limit: bigint | undefined,
  swap: bigint | undefined,
): void {
  const usage = builder.number("memory", "memory.current");
  if (memory.checkBeforeUpdate === true && limit !== undefined && limit > 0n && usage !== undefined) {
    if (usage > limit) {
      builder.fault("memory.limit", "value", `rejecting memory limit ${limit} < usage ${usage}`);
    }
  }
  const alone = swapAlone(builder, limit, swap);
  const unneeded = alone === "max" && !builder.context.has("memory", "memory.swap.max");
  if (alone !== undefined && !unneeded) builder.put("memory.swap", "memory", "memory.swap.max", alone);
  if (limit !== undefined) builder.put("memory.limit", "memory", "memory.max", orMax(limit));
  const reservation = limitOf(memory.reservation);
  if (reservation !== undefined)
    builder.put("memory.reservation", "memory", "memory.low", orMax(reservation));

  const absent = (property: string, why: string) => builder.fault(`memory.${property}`, "version", why);
  if ((limitOf(memory.kernel) ?? UNLIMITED) !== UNLIMITED) {
    absent("kernel", "cgroup v2 has no kernel memory limit apart from memory.max");
  }
  if ((limitOf(memory.kernelTCP) ?? UNLIMITED) !== UNLIMITED) {
    absent("kernelTCP", "cgroup v2 has no TCP buffer limit apart from memory.max");
  }
  if (memory.swappiness !== undefined) absent("swappiness", "cgroup v2 has no swappiness of a group");
  if (memory.disableOOMKiller === true) absent("disableOOMKiller", "cgroup v2 cannot disable the OOM killer");
  if (memory.useHierarchy === false) absent("useHierarchy", "cgroup v2 always accounts hierarchically");
}
