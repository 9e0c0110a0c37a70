/** `--volume` and `--mount` of `launch`, as people know them from Docker. Pure. */
import { isAbsolute, posix, resolve } from "node:path";
import type { RequestedMount } from "../containers/launched/request.ts";
import { UsageError } from "./usage-error.ts";

/** Options of a volume that are OCI mount options of the same name. */
const OPTIONS: ReadonlySet<string> = new Set(
  (
    "ro rw rro exec noexec suid nosuid dev nodev atime noatime relatime idmap ridmap bind rbind " +
    "shared rshared slave rslave private rprivate"
  ).split(" "),
);
/** Options of a tmpfs that have a value. */
const TMPFS_OPTIONS = /^(?:size=\d+[kmg]?|mode=[0-7]{1,4})$/i;

function checkedOptions(options: readonly string[], text: string, tmpfs = false): readonly string[] {
  for (const option of options) {
    if (OPTIONS.has(option) || (tmpfs && TMPFS_OPTIONS.test(option))) continue;
    throw new UsageError(`${text}: ${JSON.stringify(option)} is not a mount option`);
  }
  return options;
}

function checkedDestination(path: string, text: string): string {
  if (isAbsolute(path) && posix.normalize(path) !== "/") return posix.normalize(path);
  throw new UsageError(`${text}: the place in the container must be an absolute path below /`);
}

/** A path of the host begins with `/` or `.`; anything else names a volume. */
function fromSource(
  source: string,
  cwd: string,
): { kind: "bind"; source: string } | { kind: "volume"; name: string } {
  if (source.startsWith("/") || source.startsWith(".")) return { kind: "bind", source: resolve(cwd, source) };
  return { kind: "volume", name: source };
}

/**
 * `[SOURCE:]DESTINATION[:OPTION,…]`; without SOURCE a volume of the container's own.
 * @param cwd relative paths of the host count from here
 * @throws UsageError
 */
export function parseVolume(value: string, cwd: string): RequestedMount {
  const text = `--volume ${value}`;
  const parts = value.split(":");
  const [first = "", second, third] = parts;
  if (parts.length > 3 || first === "") {
    throw new UsageError(`${text}: give [SOURCE:]DESTINATION[:OPTION,...]`);
  }
  if (second === undefined)
    return { kind: "volume", destination: checkedDestination(first, text), options: [] };
  return {
    ...fromSource(first, cwd),
    destination: checkedDestination(second, text),
    options: checkedOptions(third === undefined ? [] : third.split(","), text),
  };
}

/**
 * `type=bind|volume|tmpfs,source=…,destination=…[,readonly][,OPTION…]`.
 * @throws UsageError
 */
export function parseMount(value: string, cwd: string): RequestedMount {
  const text = `--mount ${value}`;
  const options: string[] = [];
  const keys = new Map<string, string>();
  const names: Readonly<Record<string, string>> = {
    src: "source",
    dst: "destination",
    target: "destination",
  };
  for (const part of value.split(",")) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    const name = names[key] ?? key;
    if (["type", "source", "destination"].includes(name) && equals > 0)
      keys.set(name, part.slice(equals + 1));
    else if (part === "readonly" || part === "readonly=true") options.push("ro");
    else if (key === "bind-propagation") options.push(part.slice(equals + 1));
    else if (key === "tmpfs-size") options.push(`size=${part.slice(equals + 1)}`);
    else if (key === "tmpfs-mode") options.push(`mode=${part.slice(equals + 1)}`);
    else options.push(part);
  }
  const type = keys.get("type") ?? "volume";
  const source = keys.get("source");
  const destination = checkedDestination(keys.get("destination") ?? "", text);
  if (type === "tmpfs") return { kind: "tmpfs", destination, options: checkedOptions(options, text, true) };
  const checked = checkedOptions(options, text);
  if (type === "volume") {
    return {
      kind: "volume",
      ...(source === undefined ? {} : { name: source }),
      destination,
      options: checked,
    };
  }
  if (type !== "bind") throw new UsageError(`${text}: the type is bind, volume or tmpfs`);
  if (source === undefined) throw new UsageError(`${text}: a bind mount needs a source`);
  return { kind: "bind", source: resolve(cwd, source), destination, options: checked };
}
