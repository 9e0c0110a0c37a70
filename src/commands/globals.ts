/** The flags before the command: runc's, and the harmless ones of crun and youki. */
import { isAbsolute, resolve } from "node:path";
import type { CgroupManager } from "../containers/cgroup-record.ts";
import { defaultRoot } from "../containers/store.ts";
import { DEFAULT_DATA_ROOT } from "../storage/driver.ts";
import type { Flag, FlagValues, Globals, Io } from "./command.ts";
import { UsageError } from "./usage-error.ts";

export const globalFlags: readonly Flag[] = [
  {
    name: "root",
    kind: "string",
    value: "DIR",
    summary: `folder of the containers' state, on a tmpfs (default ${defaultRoot})`,
  },
  {
    name: "data-root",
    kind: "string",
    value: "DIR",
    summary: `folder of images and launched containers, on a disk (default ${DEFAULT_DATA_ROOT})`,
  },
  { name: "log", kind: "string", value: "FILE", summary: "append errors and warnings to FILE" },
  {
    name: "log-format",
    kind: "string",
    value: "FORMAT",
    summary: "form of the log",
    choices: ["text", "json"],
  },
  { name: "debug", kind: "boolean", summary: "log more" },
  {
    name: "log-level",
    kind: "string",
    value: "LEVEL",
    summary: "'debug' is --debug; others change nothing",
  },
  {
    name: "systemd-cgroup",
    kind: "boolean",
    summary: "let systemd make the cgroups; cgroupsPath is then slice:prefix:name",
  },
  {
    name: "cgroup-manager",
    kind: "string",
    value: "MANAGER",
    summary: "who makes the cgroups",
    choices: ["cgroupfs", "systemd", "disabled"],
  },
  { name: "rootless", kind: "string", value: "BOOL", summary: "taken for runc's sake; changes nothing" },
  { name: "criu", kind: "string", value: "FILE", summary: "taken for runc's sake; changes nothing" },
  { name: "help", short: "h", kind: "boolean", summary: "show help" },
  { name: "version", short: "v", kind: "boolean", summary: "show the version" },
];

/** The global flags' meaning. @throws UsageError */
export function parseGlobals(values: FlagValues, io: Io): Globals {
  const logPath = values.string("log");
  const root = values.string("root") ?? defaultRoot;
  if (root === "") throw new UsageError("--root must not be empty");
  const dataRoot = values.string("data-root") ?? DEFAULT_DATA_ROOT;
  if (dataRoot === "") throw new UsageError("--data-root must not be empty");
  return {
    root: isAbsolute(root) ? root : resolve(io.cwd, root),
    dataRoot: resolve(io.cwd, dataRoot),
    ...(logPath === undefined || logPath === "" ? {} : { logPath: resolve(io.cwd, logPath) }),
    logFormat: values.string("log-format") === "json" ? "json" : "text",
    debug: values.boolean("debug") || values.string("log-level") === "debug",
    cgroupManager: cgroupManager(values),
  };
}

function cgroupManager(values: FlagValues): CgroupManager {
  const manager = values.string("cgroup-manager");
  if (manager === "systemd" || manager === "disabled") return manager;
  return values.boolean("systemd-cgroup") && manager === undefined ? "systemd" : "cgroupfs";
}
