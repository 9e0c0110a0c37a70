/** The flags of `launch`, and what they ask for. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { LaunchRequest, NetworkChoice, RequestedDevice } from "../containers/launched/request.ts";
import { errnoOf } from "../host/errors.ts";
import type { Flag, FlagValues, Io } from "./command.ts";
import { parseMount, parseVolume } from "./mount-flags.ts";
import { parseBytes } from "./update-flags.ts";
import { UsageError } from "./usage-error.ts";

const list = (name: string, value: string, summary: string, short?: string): Flag => ({
  name,
  ...(short === undefined ? {} : { short }),
  kind: "list",
  value,
  summary: `${summary} (repeatable)`,
});
const text = (name: string, value: string, summary: string, short?: string): Flag => ({
  name,
  ...(short === undefined ? {} : { short }),
  kind: "string",
  value,
  summary,
});
const yes = (name: string, summary: string, short?: string): Flag => ({
  name,
  ...(short === undefined ? {} : { short }),
  kind: "boolean",
  summary,
});

/** All but those that say where images come from. */
export const launchFlags: readonly Flag[] = [
  text("name", "NAME", "its name; otherwise one is chosen"),
  yes("detach", "do not stay with it", "d"),
  yes("rm", "remove it, with its unnamed volumes, when it ends"),
  yes("tty", "give it a terminal", "t"),
  yes("interactive", "pass our standard input on", "i"),
  list("env", "NAME[=VALUE]", "set an environment variable, or pass ours on", "e"),
  list("env-file", "FILE", "environment variables, one NAME=VALUE a line"),
  list("label", "KEY=VALUE", "set a label", "l"),
  text("hostname", "NAME", "its host name (default: its name)"),
  text("workdir", "DIR", "working directory in it", "w"),
  text("user", "USER[:GROUP]", "run as this user, by name or number", "u"),
  text("entrypoint", "PROGRAM", "in place of the image's entrypoint; empty for none"),
  text("memory", "BYTES", "most memory, such as 64m or 1.5g", "m"),
  text("cpus", "N", "most CPU time, in CPUs, such as 1.5"),
  { name: "pids", kind: "integer", value: "N", summary: "most processes" },
  list("volume", "[SOURCE:]DIR[:OPTIONS]", "mount a named volume or a path of the host", "v"),
  list("mount", "type=TYPE,source=...,destination=...", "mount a bind, volume or tmpfs"),
  list("device", "PATH[:PATH[:rwm]]", "let it use a device of the host"),
  list("cap-add", "CAP", "add a capability, or ALL"),
  list("cap-drop", "CAP", "drop a capability, or ALL"),
  yes("privileged", "confine it hardly at all: root in it is root of the host"),
  yes("nesting", "let it run containers itself: hides nothing of /proc"),
  yes("read-only", "make its root file system read-only"),
  text("network", "none|host|ns:PATH", "its network (default none: loopback only)"),
];

/** Host names as the kernel and programs take them. */
const HOSTNAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9])?$/;

function parseNetwork(value: string | undefined, cwd: string): NetworkChoice {
  if (value === undefined || value === "none") return { kind: "none" };
  if (value === "host") return { kind: "host" };
  if (value.startsWith("ns:") && value.length > 3)
    return { kind: "path", path: resolve(cwd, value.slice(3)) };
  throw new UsageError(`--network ${value}: give none, host or ns:PATH`);
}

function parseCpus(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,6}(?:\.\d{1,6})?$/.test(value) && Number(value) >= 0.01) return Number(value);
  throw new UsageError(`--cpus ${value}: give a number of CPUs, at least 0.01`);
}

function parseDevice(value: string): RequestedDevice {
  const [source = "", second, third] = value.split(":");
  const isAccess = (part: string | undefined): part is string =>
    part !== undefined && /^[rwm]{1,3}$/.test(part);
  const destination = second === undefined || (third === undefined && isAccess(second)) ? source : second;
  const access = third ?? (isAccess(second) ? second : "rwm");
  if (
    !source.startsWith("/") ||
    !destination.startsWith("/") ||
    !isAccess(access) ||
    value.split(":").length > 3
  ) {
    throw new UsageError(`--device ${value}: give PATH[:PATH[:rwm]], absolute paths`);
  }
  return { source, destination, access };
}

/** `NAME=VALUE` as it is; a bare `NAME` is ours, if we have it. */
function environmentEntry(entry: string, io: Io, where: string): string[] {
  const name = entry.split("=", 1)[0] ?? "";
  if (name === "" || /\s/.test(name))
    throw new UsageError(`${where}: ${JSON.stringify(entry)} is not NAME=VALUE`);
  if (entry.includes("=")) return [entry];
  const value = io.env[name];
  return value === undefined ? [] : [`${name}=${value}`];
}

function readEnvironmentFile(file: string, io: Io): string[] {
  let content: string;
  try {
    content = readFileSync(resolve(io.cwd, file), "utf8");
  } catch (error) {
    throw new UsageError(`--env-file ${file}: cannot be read (${errnoOf(error) ?? "unknown error"})`);
  }
  return content
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .flatMap((line) => environmentEntry(line, io, `--env-file ${file}`));
}

function parseLabels(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const [key = "", ...rest] = entry.split("=");
      if (key === "") throw new UsageError(`--label ${entry}: give KEY=VALUE`);
      return [key, rest.join("=")];
    }),
  );
}

function positive(name: string, value: number | undefined): number | undefined {
  if (value === undefined || value > 0) return value;
  throw new UsageError(`--${name} ${value}: give a number above 0`);
}

/** Only what was given: absent and undefined differ. */
function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

/** @param command what follows the image's name. @throws UsageError */
export function launchRequest(flags: FlagValues, command: readonly string[], io: Io): LaunchRequest {
  const hostname = flags.string("hostname");
  if (hostname !== undefined && !HOSTNAME.test(hostname)) {
    throw new UsageError(`--hostname ${hostname}: is no host name of 1 to 64 characters`);
  }
  const memory = flags.string("memory");
  const entrypoint = flags.string("entrypoint");
  return {
    ...given({
      name: flags.string("name"),
      hostname,
      workdir: flags.string("workdir"),
      user: flags.string("user"),
      memory: positive("memory", memory === undefined ? undefined : parseBytes("memory", memory)),
      cpus: parseCpus(flags.string("cpus")),
      pids: positive("pids", flags.integer("pids")),
      entrypoint: entrypoint === undefined ? undefined : entrypoint === "" ? [] : [entrypoint],
    }),
    command,
    env: [
      ...flags.list("env-file").flatMap((file) => readEnvironmentFile(file, io)),
      ...flags.list("env").flatMap((entry) => environmentEntry(entry, io, "--env")),
    ],
    labels: parseLabels(flags.list("label")),
    mounts: [
      ...flags.list("volume").map((value) => parseVolume(value, io.cwd)),
      ...flags.list("mount").map((value) => parseMount(value, io.cwd)),
    ],
    devices: flags.list("device").map(parseDevice),
    capAdd: flags.list("cap-add"),
    capDrop: flags.list("cap-drop"),
    privileged: flags.boolean("privileged"),
    nesting: flags.boolean("nesting"),
    readOnly: flags.boolean("read-only"),
    network: parseNetwork(flags.string("network"), io.cwd),
    tty: flags.boolean("tty"),
    interactive: flags.boolean("interactive"),
    detach: flags.boolean("detach"),
    remove: flags.boolean("rm"),
  };
}
