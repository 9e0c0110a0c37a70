/** Cases of single values: interfaces (`net.jsonl`) and other property strings and formats (`prop.jsonl`). */
import { checkConfigValue, DEVICE_FORMAT, FEATURES_FORMAT } from "../../src/pve/container-schema.ts";
import { parseStartup } from "../../src/pve/identifier-formats.ts";
import { idMappings, parseMountPoint, printMountPoint } from "../../src/pve/mount-point.ts";
import { parseNet, printNet } from "../../src/pve/net-interface.ts";
import {
  formatAccepts,
  namedPropertyFormat,
  PropertyStringError,
  parsePropertyString,
  printPropertyString,
} from "../../src/pve/property-string.ts";
import { type Check, compare, nameSet, type Vector, type Verdict } from "./verdict.ts";

interface Result {
  readonly parsed?: unknown;
  readonly printed?: string | null;
}

/** Compares what `read` gives, or the faults that it throws, with the case. */
function judge(vector: Vector, read: (text: string) => Result): Verdict {
  try {
    const result = read(String(vector.in));
    const fields = ["parsed", "printed"].filter((field) => field in vector);
    return compare(
      { ok: vector.ok, ...Object.fromEntries(fields.map((field) => [field, vector[field]])) },
      { ok: true, ...result },
    );
  } catch (reason) {
    if (!(reason instanceof PropertyStringError)) throw reason;
    return compare(
      { ok: vector.ok, errors: nameSet((vector.errors as string[] | undefined) ?? []) },
      { ok: false, errors: nameSet(reason.faults.keys()) },
    );
  }
}

/** A line of `net.jsonl`. */
export const checkNet: Check = (vector) =>
  judge(vector, (text) => {
    const parsed = parseNet(text);
    return { parsed, printed: parsed.size === 0 ? null : printNet(parsed) };
  });

const refuse = (key: string): never => {
  throw new PropertyStringError("", new Map([[key, "refused"]]));
};

function readMountPointValue(key: string, text: string): Result {
  const mountPoint = parseMountPoint(key, text);
  const parsed: Record<string, unknown> = {
    ...Object.fromEntries(mountPoint.properties),
    type: mountPoint.type,
  };
  if (mountPoint.properties.has("idmap")) parsed.idmap = idMappings(mountPoint);
  return { parsed, printed: printMountPoint(key, mountPoint) };
}

function readFormat(format: string, text: string): Result {
  if (format === "startup") return { parsed: parseStartup(text) ?? refuse("_value") };
  if (format === "rootfs") return readMountPointValue("rootfs", text);
  if (format === "mp" || format === "unused") return readMountPointValue(`${format}0`, text);
  if (format.startsWith("config:")) {
    const checked = checkConfigValue(format.slice("config:".length), text);
    return "value" in checked ? { parsed: checked.value } : refuse("_value");
  }
  const properties =
    format === "dev" ? DEVICE_FORMAT : format === "features" ? FEATURES_FORMAT : namedPropertyFormat(format);
  if (properties === undefined) return formatAccepts(format, text) ? {} : refuse("_value");
  const parsed = parsePropertyString(properties, text);
  return { parsed, printed: printPropertyString(properties, parsed) };
}

/** A line of `prop.jsonl`. */
export const checkProp: Check = (vector) => judge(vector, (text) => readFormat(String(vector.format), text));
