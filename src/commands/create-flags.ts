/** The flags that `create`, `run` and `restore` share, and what they mean. */
import { resolve } from "node:path";
import type { CreateOptions } from "../containers/options.ts";
import type { Flag, Invocation } from "./command.ts";
import { UsageError } from "./usage-error.ts";

export const bundleFlag: Flag = {
  name: "bundle",
  short: "b",
  kind: "string",
  value: "DIR",
  summary: "folder of the bundle (default: the current one)",
};
export const pidFileFlag: Flag = {
  name: "pid-file",
  kind: "string",
  value: "FILE",
  summary: "write the process' pid to FILE",
};
export const consoleSocketFlag: Flag = {
  name: "console-socket",
  kind: "string",
  value: "SOCKET",
  summary: "unix socket that receives the terminal's master",
};
export const pidfdSocketFlag: Flag = {
  name: "pidfd-socket",
  kind: "string",
  value: "SOCKET",
  summary: "unix socket that receives a pidfd of the process",
};
export const preserveFdsFlag: Flag = {
  name: "preserve-fds",
  kind: "integer",
  value: "N",
  summary: "pass on N descriptors from 3 up",
};
export const noPivotFlag: Flag = {
  name: "no-pivot",
  kind: "boolean",
  summary: "do not use pivot_root (for a root file system on a ramdisk)",
};
export const noSubreaperFlag: Flag = {
  name: "no-subreaper",
  kind: "boolean",
  summary: "do not adopt the container's orphans",
};
export const detachFlag: Flag = {
  name: "detach",
  short: "d",
  kind: "boolean",
  summary: "do not wait for the process' end",
};

/** The flags of `create` and `run`. */
export const createFlags: readonly Flag[] = [
  bundleFlag,
  { name: "config", short: "f", kind: "string", value: "FILE", summary: "config instead of DIR/config.json" },
  pidFileFlag,
  consoleSocketFlag,
  pidfdSocketFlag,
  noPivotFlag,
  { name: "no-new-keyring", kind: "boolean", summary: "keep the caller's session keyring" },
  preserveFdsFlag,
  noSubreaperFlag,
  detachFlag,
];

/** What the flags ask for, relative paths taken from the working directory. */
export function createOptions({ args, flags, globals, io, log, store }: Invocation): CreateOptions {
  const path = (name: string): string | undefined => {
    const value = flags.string(name);
    return value === undefined || value === "" ? undefined : resolve(io.cwd, value);
  };
  const configPath = flags.string("config");
  const bundle = path("bundle") ?? io.cwd;
  const ends = processEnds({ flags, io });
  const listenFds = listenedFds(io.env);
  return {
    store,
    log,
    id: args[0] ?? "",
    bundle,
    ...(configPath === undefined ? {} : { configPath: resolve(bundle, configPath) }),
    ...ends,
    ...(listenFds > 0 ? { listenFds, preserveFds: listenFds + ends.preserveFds } : {}),
    noPivot: flags.boolean("no-pivot"),
    noNewKeyring: flags.boolean("no-new-keyring"),
    cgroupManager: globals.cgroupManager,
  };
}

/** Where the process' pid, terminal and descriptors go. */
export function processEnds({
  flags,
  io,
}: Pick<Invocation, "flags" | "io">): Pick<
  CreateOptions,
  "pidFile" | "consoleSocket" | "pidfdSocket" | "preserveFds"
> {
  const preserveFds = flags.integer("preserve-fds") ?? 0;
  if (preserveFds < 0) throw new UsageError("--preserve-fds must not be negative");
  const paths: Record<string, string> = {};
  for (const [flag, property] of [
    ["pid-file", "pidFile"],
    ["console-socket", "consoleSocket"],
    ["pidfd-socket", "pidfdSocket"],
  ] as const) {
    const value = flags.string(flag);
    if (value !== undefined && value !== "") paths[property] = resolve(io.cwd, value);
  }
  return { ...paths, preserveFds };
}

/** Sockets that the service manager gave to this command, whose process may be our parent; they come before others. */
function listenedFds(env: Readonly<Record<string, string | undefined>>): number {
  const ours = [process.pid, process.ppid].includes(Number(env.LISTEN_PID));
  const count = Number(env.LISTEN_FDS);
  return ours && Number.isSafeInteger(count) && count > 0 ? count : 0;
}
