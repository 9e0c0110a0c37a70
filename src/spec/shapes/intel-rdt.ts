/** `linux.intelRdt`. config-linux.md, IntelRdt. */
import type { IntelRdt } from "../config.ts";
import { quote } from "../faults.ts";
import { boolean, line, nonEmpty } from "../scalars.ts";
import { object, orEmpty, type Shape, strings } from "../shape.ts";

/** One directory name below resctrl, or `/`. */
const closId: Shape<string> = (value, path, findings) => {
  const name = nonEmpty(value, path, findings);
  if (name === undefined || name === "/") return name;
  if (!name.includes("/") && name !== "." && name !== "..") return name;
  return findings.fault(path, `${quote(name)} is neither a directory name nor "/"`);
};

const memoryBandwidth: Shape<string> = (value, path, findings) => {
  const schema = line(value, path, findings);
  if (schema === undefined || schema.startsWith("MB:")) return schema;
  return findings.fault(path, `${quote(schema)} does not begin with MB:`);
};

const REPLACED = "enableMonitoring took its place in version 1.3.0";

export const intelRdt = object<IntelRdt>({
  required: {},
  optional: {
    closID: orEmpty(closId),
    l3CacheSchema: orEmpty(line),
    memBwSchema: orEmpty(memoryBandwidth),
    schemata: strings(nonEmpty),
    enableMonitoring: boolean,
  },
  ignored: { enableCMT: REPLACED, enableMBM: REPLACED },
  check({ l3CacheSchema }, path, findings) {
    if (l3CacheSchema !== undefined && !l3CacheSchema.startsWith("L3:")) {
      findings.warn(`${path}.l3CacheSchema`, `${quote(l3CacheSchema)} should begin with L3:`);
    }
  },
});
