import { resolve } from "node:path";
import { execProcess } from "../containers/exec.ts";
import type { ExecProcess } from "../containers/options.ts";
import type { Command, Invocation } from "./command.ts";
import {
  consoleSocketFlag,
  detachFlag,
  pidFileFlag,
  pidfdSocketFlag,
  preserveFdsFlag,
  processEnds,
} from "./create-flags.ts";
import { UsageError } from "./usage-error.ts";

/** `exec`: one more process in a running container. */
export const command: Command = {
  name: "exec",
  summary: "run another process in a container; its exit code becomes ours",
  args: "ID COMMAND [ARG...]",
  arity: [1, Number.POSITIVE_INFINITY],
  inOrder: true,
  flags: [
    {
      name: "process",
      short: "p",
      kind: "string",
      value: "FILE",
      summary: "the process as JSON; replaces COMMAND and the flags for it",
    },
    consoleSocketFlag,
    pidfdSocketFlag,
    pidFileFlag,
    detachFlag,
    {
      name: "cwd",
      short: "w",
      aliases: ["workdir"],
      kind: "string",
      value: "DIR",
      summary: "working directory in the container",
    },
    {
      name: "env",
      short: "e",
      kind: "list",
      value: "NAME=VALUE",
      summary: "set an environment variable (repeatable)",
    },
    { name: "tty", short: "t", kind: "boolean", summary: "give it a terminal" },
    {
      name: "interactive",
      short: "i",
      kind: "boolean",
      summary: "taken for Docker's sake; standard input is always passed on",
    },
    {
      name: "user",
      short: "u",
      kind: "string",
      value: "USER[:GROUP]",
      summary: "run as this user: numbers, or names of the container's own",
    },
    {
      name: "additional-gids",
      short: "g",
      kind: "list",
      value: "GID",
      summary: "further groups (repeatable)",
    },
    { name: "cap", short: "c", kind: "list", value: "CAP", summary: "add a capability (repeatable)" },
    { name: "no-new-privs", kind: "boolean", summary: "set no_new_privs" },
    { name: "apparmor", kind: "string", value: "PROFILE", summary: "AppArmor profile" },
    { name: "process-label", kind: "string", value: "LABEL", summary: "SELinux label" },
    {
      name: "cgroup",
      kind: "list",
      value: "[CONTROLLER:]PATH",
      summary: "run in an existing group below the container's (repeatable)",
    },
    { name: "ignore-paused", kind: "boolean", summary: "also in a paused container" },
    preserveFdsFlag,
  ],
  examples: [
    "exec web1 ps",
    "exec -it -u www-data web1 sh",
    "exec -t web1 sh",
    "exec --process process.json --detach --pid-file p web1",
  ],
  async run(invocation) {
    const { args, flags, store, log } = invocation;
    return await execProcess({
      store,
      log,
      id: args[0] ?? "",
      process: await processOf(invocation),
      ...processEnds(invocation),
      detach: flags.boolean("detach"),
      ignorePaused: flags.boolean("ignore-paused"),
      cgroups: flags.list("cgroup"),
    });
  },
};

async function processOf(invocation: Invocation): Promise<ExecProcess> {
  const { args, flags, io } = invocation;
  const file = flags.string("process");
  if (file !== undefined) return { kind: "file", path: resolve(io.cwd, file) };
  const command = args.slice(1);
  if (command.length === 0) throw new UsageError("process args cannot be empty");
  const cwd = flags.string("cwd");
  const user = await userOf(invocation);
  const apparmorProfile = flags.string("apparmor");
  const selinuxLabel = flags.string("process-label");
  return {
    kind: "arguments",
    args: command,
    ...(cwd === undefined ? {} : { cwd }),
    env: [...user.env, ...flags.list("env")],
    ...(user.ids === undefined ? {} : { user: user.ids }),
    additionalGids: [
      ...user.additionalGids,
      ...flags.list("additional-gids").map((gid) => parseId(gid, "additional-gids")),
    ],
    tty: flags.boolean("tty"),
    capabilities: flags.list("cap"),
    noNewPrivileges: flags.boolean("no-new-privs"),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
  };
}

interface ExecUser {
  readonly ids?: { readonly uid: number; readonly gid?: number };
  readonly additionalGids: readonly number[];
  readonly env: readonly string[];
}

/** Numbers are taken as they are, as runc does; a name is looked up in the container, with its groups and home. */
async function userOf({ args, flags, store }: Invocation): Promise<ExecUser> {
  const text = flags.string("user");
  if (text === undefined) return { additionalGids: [], env: [] };
  const [uid = "", gid] = text.split(":", 2);
  if (/^\d+$/.test(uid) && (gid === undefined || /^\d+$/.test(gid))) {
    const ids = { uid: parseId(uid, "user"), ...(gid === undefined ? {} : { gid: parseId(gid, "user") }) };
    return { ids, additionalGids: [], env: [] };
  }
  const { userInside } = await import("../containers/launched/inside.ts");
  const user = userInside(store, args[0] ?? "", text);
  return { ids: user, additionalGids: user.additionalGids, env: [`HOME=${user.home}`] };
}

/** uid_t and gid_t have 32 bits; the last number means "none". */
function parseId(text: string, flag: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff) return Number(text);
  throw new UsageError(`invalid value ${JSON.stringify(text)} for flag -${flag}: not a user or group number`);
}
