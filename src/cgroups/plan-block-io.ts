/** OCI `blockIO` → blkio of v1, io of v2. */
import type { BlockIo, ThrottleDevice } from "../spec/config.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** Plans weights and throttles. */
export function planBlockIo(builder: PlanBuilder, io: BlockIo): void {
  const v1 = builder.context.version("blkio") === 1;
  if (!v1 && builder.need("blockIO", "io") === undefined) return;
  for (const device of io.weightDevice ?? []) {
    if (device.weight === undefined && device.leafWeight === undefined) {
      builder.fault("blockIO.weightDevice", "value", `${device.major}:${device.minor} has no weight`);
    }
  }
  if (v1) planV1(builder, io);
  else planV2(builder, io);
}

/** The first of the files that groups have; the last where they have none, for the fault's text. */
function oneOf(builder: PlanBuilder, controller: string, ...files: readonly [string, string]): string {
  return builder.context.has(controller, files[0]) ? files[0] : files[1];
}

function planV1(builder: PlanBuilder, io: BlockIo): void {
  const weight = () => oneOf(builder, "blkio", "blkio.weight", "blkio.bfq.weight");
  if (io.weight) builder.put("blockIO.weight", "blkio", weight(), io.weight);
  if (io.leafWeight) builder.put("blockIO.leafWeight", "blkio", "blkio.leaf_weight", io.leafWeight);
  for (const { major, minor, weight: own, leafWeight } of io.weightDevice ?? []) {
    const device = `${major}:${minor}`;
    if (own !== undefined) {
      const file = oneOf(builder, "blkio", "blkio.weight_device", "blkio.bfq.weight_device");
      builder.put("blockIO.weightDevice", "blkio", file, `${device} ${own}`);
    }
    if (leafWeight !== undefined) {
      builder.put("blockIO.weightDevice", "blkio", "blkio.leaf_weight_device", `${device} ${leafWeight}`);
    }
  }
  for (const [property, file] of [
    ["throttleReadBpsDevice", "blkio.throttle.read_bps_device"],
    ["throttleWriteBpsDevice", "blkio.throttle.write_bps_device"],
    ["throttleReadIOPSDevice", "blkio.throttle.read_iops_device"],
    ["throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"],
  ] as const) {
    for (const { major, minor, rate } of io[property] ?? []) {
      builder.put(`blockIO.${property}`, "blkio", file, `${major}:${minor} ${rate}`);
    }
  }
}

/** BFQ's range of weights (10 to 1000) stretched to that of io.weight (1 to 10000), as runc and crun do. */
export const ioWeightOf = (weight: number): number =>
  1 + Math.floor((Math.max(weight, 10) - 10) * (9999 / 990) + 1e-9);

function planV2(builder: PlanBuilder, io: BlockIo): void {
  const file = oneOf(builder, "io", "io.bfq.weight", "io.weight");
  const scaled = (weight: number) => (file === "io.bfq.weight" ? weight : ioWeightOf(weight));
  if (io.weight) builder.put("blockIO.weight", "io", file, `default ${scaled(io.weight)}`);
  const leaf = "cgroup v2 has no leaf weight: groups with children hold no processes";
  if (io.leafWeight) builder.fault("blockIO.leafWeight", "version", leaf);
  for (const { major, minor, weight, leafWeight } of io.weightDevice ?? []) {
    if (weight !== undefined) {
      builder.put("blockIO.weightDevice", "io", file, `${major}:${minor} ${scaled(weight)}`);
    }
    if (leafWeight) builder.fault("blockIO.weightDevice", "version", leaf);
  }
  planThrottlesV2(builder, io);
}

/** io.max takes one line per device; a rate of 0 lifts the limit, as it does on v1. */
function planThrottlesV2(builder: PlanBuilder, io: BlockIo): void {
  const lines = new Map<string, string[]>();
  let property = "";
  const add = (name: keyof BlockIo, key: string, devices: readonly ThrottleDevice[] = []) => {
    for (const { major, minor, rate } of devices) {
      const device = `${major}:${minor}`;
      lines.set(device, [...(lines.get(device) ?? []), `${key}=${BigInt(rate) === 0n ? "max" : rate}`]);
      property = `blockIO.${name}`;
    }
  };
  add("throttleReadBpsDevice", "rbps", io.throttleReadBpsDevice);
  add("throttleWriteBpsDevice", "wbps", io.throttleWriteBpsDevice);
  add("throttleReadIOPSDevice", "riops", io.throttleReadIOPSDevice);
  add("throttleWriteIOPSDevice", "wiops", io.throttleWriteIOPSDevice);
  for (const [device, limits] of lines)
    builder.put(property, "io", "io.max", `${device} ${limits.join(" ")}`);
}
