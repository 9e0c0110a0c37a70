/** `process.capabilities`: known names only, and only what the kernel can grant. config.md, Linux Process. */
import { suggestion } from "../closest.ts";
import type { Capabilities } from "../config.ts";
import { type Findings, quote } from "../faults.ts";
import { CAPABILITIES } from "../names.ts";
import { text } from "../scalars.ts";
import { object, type Shape, strings } from "../shape.ts";

const KNOWN: ReadonlySet<string> = new Set(CAPABILITIES);

const names = strings(text);

/** One set; names that no kernel knows are warned about and left out, as the spec demands. */
const capabilitySet: Shape<readonly string[]> = (value, path, findings) => {
  const all = names(value, path, findings);
  return all?.filter((name, index) => {
    if (KNOWN.has(name)) return true;
    findings.warn(
      `${path}[${index}]`,
      `unknown capability ${quote(name)}, ignored${suggestion(name, KNOWN)}`,
    );
    return false;
  });
};

const sets = object<Capabilities>({
  required: {},
  optional: {
    bounding: capabilitySet,
    effective: capabilitySet,
    inheritable: capabilitySet,
    permitted: capabilitySet,
    ambient: capabilitySet,
  },
});

/**
 * The five sets. What cannot be granted (capset(2), PR_CAP_AMBIENT_RAISE) is a warning and left out, not a
 * fault: config.md asks for that, and `runc spec` itself writes an ambient set without an inheritable one.
 */
export const capabilities: Shape<Capabilities> = (value, path, findings) => {
  const given = sets(value, path, findings);
  if (given === undefined) return undefined;
  const permitted = new Set(given.permitted);
  const inheritable = new Set(given.inheritable);
  return {
    ...given,
    ...(given.effective && {
      effective: grantable(given.effective, (name) => permitted.has(name), "permitted", `${path}.effective`),
    }),
    ...(given.ambient && {
      ambient: grantable(
        given.ambient,
        (name) => permitted.has(name) && inheritable.has(name),
        "permitted and inheritable",
        `${path}.ambient`,
      ),
    }),
  };

  function grantable(set: readonly string[], may: (name: string) => boolean, needed: string, at: string) {
    return set.filter((name) => may(name) || warnUngrantable(name, needed, at, findings));
  }
};

function warnUngrantable(name: string, needed: string, path: string, findings: Findings): false {
  findings.warn(path, `${name} is not ${needed} as well, so it cannot be granted; ignored`);
  return false;
}
