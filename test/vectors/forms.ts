/** Which form a recorded case has, told by its fields, so that files may have any name. */
import { checkConfig, checkLxcConfig } from "./check-config.ts";
import { checkSdn, checkSdnInterfaces } from "./check-sdn.ts";
import { checkUpdate } from "./check-update.ts";
import { checkValidate } from "./check-validate.ts";
import { checkNet, checkProp } from "./check-values.ts";
import type { Check, Vector } from "./verdict.ts";

/** The check for a case; undefined where its form is not known. */
export function checkFor(vector: Vector): Check | undefined {
  const input = vector.in;
  if ("params" in vector && "path" in vector) return checkValidate;
  if (typeof input === "string") {
    if ("format" in vector) return checkProp;
    if ("bridge_mtu" in vector) return checkLxcConfig;
    if ("strict" in vector) return checkConfig;
    return checkNet;
  }
  if (typeof input !== "object" || input === null) return undefined;
  if ("conf" in input) return checkUpdate;
  if ("interfaces" in input) return checkSdnInterfaces;
  return checkSdn;
}
