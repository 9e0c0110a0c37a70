/** OCI `cpu` → cpu and cpuset controllers of v1 and v2. */
import type { Cpu } from "../spec/config.ts";
import type { PlanBuilder } from "./plan-builder.ts";

const DEFAULT_PERIOD = 100_000n;

/**
 * CPU shares (2 to 262144, 1024 by default) as a v2 weight (1 to 10000, 100 by default): the curve through these
 * three pairs that runc 1.3.2, crun 1.23 and the later releases of both use.
 */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const l = Math.log2(shares);
  const exponent = (l * l + 125 * l) / 612 - 7 / 34;
  // Rounding first: 10^2 must not become 101 through the last bit of a double.
  return Math.ceil(Number((10 ** exponent).toFixed(9)));
}

/** Plans weight, quota, real-time budget and cpuset. */
export function planCpu(builder: PlanBuilder, cpu: Cpu): void {
  if (cpu.quota !== undefined && cpu.quota > 0 && cpu.burst !== undefined && cpu.burst > cpu.quota) {
    builder.fault("cpu.burst", "value", `burst ${cpu.burst} is larger than quota ${cpu.quota}`);
  }
  const { cpus, mems, ...time } = cpu;
  if (Object.values(time).some((value) => value !== undefined)) planTime(builder, time);
  const sets = Object.entries({ cpus, mems }).filter(([, list]) => list !== undefined && list !== "");
  const [[asked] = []] = sets;
  if (asked === undefined || builder.need(`cpu.${asked}`, "cpuset") === undefined) return;
  for (const [name, list = ""] of sets) {
    if (/^[\d,:/ -]+$/.test(list)) builder.put(`cpu.${name}`, "cpuset", `cpuset.${name}`, list);
    else builder.fault(`cpu.${name}`, "value", `${JSON.stringify(list)} is no list such as 0-3,7`);
  }
}

function planTime(builder: PlanBuilder, cpu: Cpu): void {
  const version = builder.need("cpu", "cpu");
  if (version === undefined) return;
  planWeight(builder, cpu, version);
  if (version === 1) {
    planQuotaV1(builder, cpu);
    planRealtime(builder, cpu);
    return;
  }
  planQuotaV2(builder, cpu);
  for (const name of ["realtimeRuntime", "realtimePeriod"] as const) {
    if (cpu[name] !== undefined) {
      builder.fault(`cpu.${name}`, "version", "cgroup v2 has no real-time budget of a group");
    }
  }
}

/** The kernel refuses a weight for an idle group: leave idle first, become idle last. */
function planWeight(builder: PlanBuilder, cpu: Cpu, version: 1 | 2): void {
  if (cpu.idle === 0) builder.put("cpu.idle", "cpu", "cpu.idle", 0);
  const idleAlready = cpu.idle === 1 && builder.context.read("cpu", "cpu.idle") === "1";
  if (cpu.shares !== undefined && cpu.shares !== 0 && !idleAlready) {
    if (version === 1) builder.put("cpu.shares", "cpu", "cpu.shares", cpu.shares);
    else builder.put("cpu.shares", "cpu", "cpu.weight", weightOfShares(cpu.shares));
  }
  if (cpu.idle !== undefined && cpu.idle !== 0) builder.put("cpu.idle", "cpu", "cpu.idle", cpu.idle);
}

/**
 * Burst may never be above quota, so a lower burst goes before a lower quota, a higher one after it.
 * `quota` writes the quota; the file of the burst differs by version.
 */
function aroundQuota(builder: PlanBuilder, cpu: Cpu, file: string, quota: () => void): void {
  const putBurst = () => {
    if (cpu.burst !== undefined) builder.put("cpu.burst", "cpu", file, cpu.burst);
  };
  const present = builder.number("cpu", file) ?? 0n;
  const first = cpu.burst !== undefined && BigInt(cpu.burst) <= present;
  if (first) putBurst();
  quota();
  if (!first) putBurst();
}

function planQuotaV1(builder: PlanBuilder, cpu: Cpu): void {
  const putPeriod = () => {
    if (cpu.period) builder.put("cpu.period", "cpu", "cpu.cfs_period_us", cpu.period);
  };
  const putQuota = () => {
    if (cpu.quota) builder.put("cpu.quota", "cpu", "cpu.cfs_quota_us", cpu.quota);
  };
  aroundQuota(builder, cpu, "cpu.cfs_burst_us", () => {
    // quota/period may not exceed the parent's, also for a moment: grow the period first, shrink it last.
    const present = builder.number("cpu", "cpu.cfs_period_us") ?? DEFAULT_PERIOD;
    const periodFirst = BigInt(cpu.period ?? 0) >= present;
    if (periodFirst) putPeriod();
    putQuota();
    if (!periodFirst) putPeriod();
  });
}

function planQuotaV2(builder: PlanBuilder, cpu: Cpu): void {
  aroundQuota(builder, cpu, "cpu.max.burst", () => {
    if (!cpu.quota && !cpu.period) return;
    const [presentQuota = "max", presentPeriod = String(DEFAULT_PERIOD)] =
      builder.context.read("cpu", "cpu.max")?.split(" ") ?? [];
    const quota = cpu.quota ? (cpu.quota > 0 ? String(cpu.quota) : "max") : presentQuota;
    const period = cpu.period ? String(cpu.period) : presentPeriod;
    builder.put(cpu.quota ? "cpu.quota" : "cpu.period", "cpu", "cpu.max", `${quota} ${period}`);
  });
}

function planRealtime(builder: PlanBuilder, cpu: Cpu): void {
  const period = () => {
    if (cpu.realtimePeriod) builder.put("cpu.realtimePeriod", "cpu", "cpu.rt_period_us", cpu.realtimePeriod);
  };
  // The same rule as for quota and period.
  const present = builder.number("cpu", "cpu.rt_period_us") ?? 1_000_000n;
  const periodFirst = BigInt(cpu.realtimePeriod ?? 0) >= present;
  if (periodFirst) period();
  if (cpu.realtimeRuntime) {
    builder.put("cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime);
  }
  if (!periodFirst) period();
}
