/** `linux.netDevices`. config-linux.md, Network Devices. */
import type { NetDevice } from "../config.ts";
import { type Findings, quote } from "../faults.ts";
import { isInterfaceName, line } from "../scalars.ts";
import { join, map, object, orEmpty, type Shape } from "../shape.ts";

/** A name, or a template that ends in `%d`, for which the kernel puts a number. */
const nameInside: Shape<string> = (value, path, findings) => {
  const name = line(value, path, findings);
  if (name === undefined) return undefined;
  if (isInterfaceName(name) && !name.replace(/%d$/, "").includes("%")) return name;
  return findings.fault(path, `${quote(name)} is no network device name`);
};

function hostName(name: string, path: string, findings: Findings): void {
  if (!isInterfaceName(name) || name.includes("%")) findings.fault(path, "is no network device name");
}

const list = map(object<NetDevice>({ required: {}, optional: { name: orEmpty(nameInside) } }), hostName);

export const netDevices: typeof list = (value, path, findings) => {
  const checked = list(value, path, findings);
  const taken = new Map<string, string>();
  for (const [host, { name = host }] of Object.entries(checked ?? {})) {
    const other = taken.get(name);
    if (name.endsWith("%d")) continue;
    if (other !== undefined) findings.fault(join(path, host), `takes the name ${name}, as ${other} does`);
    taken.set(name, host);
  }
  return checked;
};
