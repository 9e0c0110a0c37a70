/** The keys of a container's configuration and of their property strings, as Proxmox VE 9 knows them. */
import { normalizeNumber, parseBoolean } from "./perl-values.ts";
import { textFault } from "./property-string.ts";
import type { PropertyFormat, ValueSchema } from "./value-schema.ts";

const flag: ValueSchema = { type: "boolean", optional: 1 };

/** `netN`: a network interface. Its `name` is required; no key's name may be left out. */
export const NET_FORMAT: PropertyFormat = {
  bridge: { type: "string", pattern: "[-_.\\w\\d]+", optional: 1 },
  firewall: flag,
  gw: { type: "string", format: "ipv4", optional: 1 },
  gw6: { type: "string", format: "ipv6", optional: 1 },
  "host-managed": flag,
  hwaddr: { type: "string", format: "mac-addr", optional: 1 },
  ip: { type: "string", format: "pve-ipv4-config", optional: 1 },
  ip6: { type: "string", format: "pve-ipv6-config", optional: 1 },
  link_down: flag,
  mtu: { type: "integer", minimum: 64, maximum: 65535, optional: 1 },
  name: { type: "string", pattern: "[-_.\\w\\d]+" },
  rate: { type: "number", optional: 1 },
  tag: { type: "integer", minimum: 1, maximum: 4094, optional: 1 },
  trunks: { type: "string", pattern: "\\d+(?:;\\d+)*", optional: 1 },
  type: { type: "string", enum: ["veth"], optional: 1 },
};

const MOUNT_OPTION = "(?:discard|lazytime|noatime|nodev|noexec|nosuid)";
const ID_MAPPING = "[ug]:\\d+:\\d+:0*[1-9]\\d*";

/** `rootfs`: the container's root volume. */
export const ROOTFS_FORMAT: PropertyFormat = {
  acl: flag,
  idmap: { type: "string", pattern: `passthrough|${ID_MAPPING}(?:;${ID_MAPPING})*`, optional: 1 },
  mountoptions: { type: "string", pattern: `${MOUNT_OPTION}(?:;${MOUNT_OPTION})*`, optional: 1 },
  quota: flag,
  replicate: flag,
  ro: flag,
  shared: flag,
  size: { type: "string", format: "disk-size", optional: 1 },
  volume: { type: "string", format: "pve-lxc-mp-string", default_key: 1 },
};

/** `mpN`: a further mount point. */
export const MOUNT_POINT_FORMAT: PropertyFormat = {
  ...ROOTFS_FORMAT,
  backup: flag,
  keepattrs: flag,
  mp: { type: "string", format: "pve-lxc-mp-string" },
};

/** `unusedN`: a volume that belongs to the container but is not mounted. */
export const UNUSED_FORMAT: PropertyFormat = {
  volume: { type: "string", format: "pve-volume-id", default_key: 1 },
};

/** `devN`: a device of the host passed through. */
export const DEVICE_FORMAT: PropertyFormat = {
  "deny-write": flag,
  gid: { type: "integer", minimum: 0, optional: 1 },
  mode: { type: "string", pattern: "0[0-7]{3}", optional: 1 },
  path: { type: "string", format: "pve-lxc-dev-string", default_key: 1, optional: 1 },
  uid: { type: "integer", minimum: 0, optional: 1 },
};

/** `features`: what the container may do beyond the default. */
export const FEATURES_FORMAT: PropertyFormat = {
  force_rw_sys: flag,
  fuse: flag,
  keyctl: flag,
  mknod: flag,
  mount: { type: "string", pattern: "[a-zA-Z0-9_; ]+", optional: 1 },
  nesting: flag,
};

const text: ValueSchema = { type: "string" };
const boolean: ValueSchema = { type: "boolean" };
const integer: ValueSchema = { type: "integer" };

/**
 * Types and formats that the configuration file is checked against. Ranges and enumerations are the API's
 * business: a file that breaks them is taken as it is.
 */
const KEYS: ReadonlyMap<string, ValueSchema> = new Map<string, ValueSchema>([
  ["arch", text],
  ["cmode", text],
  ["console", boolean],
  ["cores", integer],
  ["cpulimit", { type: "number" }],
  ["cpuunits", integer],
  ["debug", boolean],
  ["description", text],
  ["entrypoint", text],
  ["env", text],
  ["features", { type: "string", format: FEATURES_FORMAT }],
  ["hookscript", { type: "string", format: "pve-volume-id" }],
  ["hostname", { type: "string", format: "dns-name" }],
  ["lock", text],
  ["memory", integer],
  ["nameserver", { type: "string", format: "lxc-ip-with-ll-iface-list" }],
  ["onboot", boolean],
  ["ostype", text],
  ["parent", { type: "string", format: "pve-configid" }],
  ["protection", boolean],
  ["rootfs", { type: "string", format: ROOTFS_FORMAT }],
  ["searchdomain", { type: "string", format: "dns-name-list" }],
  ["snaptime", integer],
  ["startup", { type: "string", format: "pve-startup-order" }],
  ["swap", integer],
  ["tags", { type: "string", format: "pve-tag-list" }],
  ["template", boolean],
  ["timezone", { type: "string", format: "pve-ct-timezone" }],
  ["tty", integer],
  ["unprivileged", boolean],
]);

const FAMILIES: ReadonlyMap<string, { readonly count: number; readonly schema: ValueSchema }> = new Map([
  ["dev", { count: 256, schema: { type: "string", format: DEVICE_FORMAT } }],
  ["mp", { count: 256, schema: { type: "string", format: MOUNT_POINT_FORMAT } }],
  ["net", { count: 32, schema: { type: "string", format: NET_FORMAT } }],
  ["unused", { count: 256, schema: { type: "string", format: UNUSED_FORMAT } }],
]);

/** The family and number of a numbered key such as `net10`; undefined for every other key. */
export function numberedKey(key: string): { family: string; index: number } | undefined {
  const last = key.charCodeAt(key.length - 1);
  if (last < 48 || last > 57) return undefined;
  const match = /^(dev|mp|net|unused)(0|[1-9]\d{0,2})$/.exec(key);
  if (match?.[1] === undefined) return undefined;
  const index = Number(match[2]);
  return index < (FAMILIES.get(match[1])?.count ?? 0) ? { family: match[1], index } : undefined;
}

/** The schema of a configuration key; undefined where Proxmox does not know the key. */
export function configKeySchema(key: string): ValueSchema | undefined {
  const known = KEYS.get(key);
  if (known !== undefined) return known;
  const numbered = numberedKey(key);
  return numbered === undefined ? undefined : FAMILIES.get(numbered.family)?.schema;
}

/** A value as the configuration keeps it (`yes` becomes `1`, `007` becomes `7`), or what is wrong with it. */
export type CheckedValue = { readonly value: string } | { readonly fault: string };

/** Checks a value of a configuration file by its key's type and format. */
export function checkConfigValue(key: string, value: string): CheckedValue {
  const schema = configKeySchema(key);
  if (schema === undefined) return { fault: `unknown setting '${key}'` };
  if (/[\n\r]/.test(value)) return { fault: "value contains a line feed" };
  switch (schema.type) {
    case "boolean": {
      const parsed = parseBoolean(value);
      return parsed === undefined ? { fault: `'${value}' is not a boolean` } : { value: parsed };
    }
    case "integer":
      return /^\d+$/.test(value)
        ? { value: normalizeNumber(value) }
        : { fault: `'${value}' is not an integer` };
    case "number":
      return /^\d+(?:\.\d+)?$/.test(value) ? { value } : { fault: `'${value}' is not a number` };
    default: {
      const fault = textFault(schema, value);
      return fault === undefined ? { value } : { fault };
    }
  }
}
