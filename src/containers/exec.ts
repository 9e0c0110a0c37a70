/** `exec`: one more process in a running container. This process becomes the C program that joins it. */
import { readFileSync } from "node:fs";
import { makesNamespace, namespaceOf } from "../lxc/config.ts";
import { stateTail } from "../lxc/hook-plan.ts";
import { becomeNative } from "../lxc/native.ts";
import { Plan } from "../lxc/plan.ts";
import { planProcess } from "../lxc/process-plan.ts";
import type { Capabilities, Config, Process } from "../spec/config.ts";
import { faultText, parseConfig, parseProcess } from "../spec/parse.ts";
import { decideProcess } from "./decisions.ts";
import { ContainerError, notRunning } from "./errors.ts";
import { leafOf } from "./leaf.ts";
import type { ExecOptions, ExecProcess } from "./options.ts";
import type { ContainerRecord } from "./record.ts";
import { statusOf } from "./status.ts";

/**
 * Runs a process in a container. Does not return: detached, the C program ends with 0 once the process runs; else
 * with the process' exit code.
 * @throws ContainerError `container-not-found`, `container-not-running`, `container-paused`
 * @throws SpecError `invalid-config` for a bad process document
 */
export async function execProcess(options: ExecOptions): Promise<number> {
  const { store, id, log } = options;
  const record = store.load(id);
  const status = statusOf(store, record);
  if (status === "paused" && !options.ignorePaused) {
    throw new ContainerError("container-paused", `cannot exec in a paused container: ${JSON.stringify(id)}`, {
      fix: `Resume it first: proxmox-lxcri resume ${id}`,
    });
  }
  if (status === "stopped" || status === "creating" || record.init === undefined)
    throw notRunning(id, status);
  const { config } = parseConfig(readFileSync(store.configPath(id), "utf8"));
  const process = processOf(options.process, config, options);
  const decided = await decideProcess(process, {
    linux: config.linux,
    userNamespace: namespaceOf(config, "user") !== undefined,
    seccompCache: `${store.root}/seccomp`,
    preserveFds: options.preserveFds,
    log,
  });
  const plan = new Plan()
    .add("pid", record.init.pid)
    .add("start-time", record.init.startTime)
    .add("chroot", !makesNamespace(config, "mount"))
    .addAll("cgroup", groupFiles(record, record.init.pid, options.cgroups))
    .add("detach", options.detach)
    .add("pid-file", options.pidFile)
    .add("console-socket", options.consoleSocket)
    .add("pidfd-socket", options.pidfdSocket)
    .add("log", log.path)
    .add("log-format", log.format)
    .add("oci-version", config.ociVersion)
    .add("state", stateTail({ ...record, annotations: record.annotations }));
  const listener = decided.seccomp?.listener;
  if (listener !== undefined) {
    plan
      .add("listener-path", listener.path)
      .add("listener-metadata", listener.metadata ? JSON.stringify(listener.metadata) : undefined);
  }
  becomeNative("exec", plan.add("process", planProcess(process, config.linux, decided)));
}

/** `cgroup.procs` of the groups to join: the container's leaf, or existing ones below it. */
function groupFiles(record: ContainerRecord, init: number, wanted: readonly string[]): string[] {
  const leaf = leafOf(record);
  if (wanted.length === 0) return leaf?.entrances(init) ?? [];
  const folders = leaf?.folders ?? {};
  const below = new Map<string, string>();
  for (const entry of wanted) {
    const [, controllers, path = ""] = /^(?:([\w=,]+):)?(.*)$/.exec(entry) ?? [];
    if (path.split("/").includes("..")) {
      throw new ContainerError(
        "cgroup-path-invalid",
        `--cgroup ${JSON.stringify(entry)}: must not contain ".."`,
      );
    }
    for (const [key, folder] of Object.entries(folders)) {
      const shares =
        controllers === undefined || key.split(",").some((name) => controllers.split(",").includes(name));
      if (shares) below.set(key, `${folder}/${path}`);
    }
  }
  return Object.entries(folders).map(([key, folder]) => `${below.get(key) ?? folder}/cgroup.procs`);
}

function processOf(wanted: ExecProcess, config: Config, { log, consoleSocket }: ExecOptions): Process {
  if (wanted.kind === "file") {
    const { process, warnings } = parseProcess(readFileSync(wanted.path, "utf8"));
    for (const warning of warnings) log.warning(faultText(warning));
    return withLabels(process, config.process);
  }
  const base = config.process;
  const [first = "", ...rest] = wanted.args;
  const { consoleSize: _size, ...inherited } = base;
  return {
    ...inherited,
    args: [first, ...rest],
    terminal: wanted.tty || consoleSocket !== undefined,
    env: [...(base.env ?? []), ...wanted.env],
    cwd: wanted.cwd ?? base.cwd,
    user: {
      ...base.user,
      ...(wanted.user === undefined ? {} : { uid: wanted.user.uid, gid: wanted.user.gid ?? base.user.gid }),
      additionalGids: [...(base.user.additionalGids ?? []), ...wanted.additionalGids],
    },
    noNewPrivileges: wanted.noNewPrivileges || base.noNewPrivileges === true,
    ...(wanted.capabilities.length === 0
      ? {}
      : { capabilities: withCapabilities(base.capabilities, wanted.capabilities) }),
    ...(wanted.apparmorProfile === undefined ? {} : { apparmorProfile: wanted.apparmorProfile }),
    ...(wanted.selinuxLabel === undefined ? {} : { selinuxLabel: wanted.selinuxLabel }),
  };
}

/** As runc: a process document that names no label gets init's, rather than none. */
function withLabels(process: Process, { apparmorProfile, selinuxLabel }: Process): Process {
  return {
    ...process,
    ...(apparmorProfile && !process.apparmorProfile ? { apparmorProfile } : {}),
    ...(selinuxLabel && !process.selinuxLabel ? { selinuxLabel } : {}),
  };
}

/** All sets with more in them. */
function withCapabilities(base: Capabilities | undefined, more: readonly string[]): Capabilities {
  const names = more.map((name) => (name.startsWith("CAP_") ? name : `CAP_${name}`));
  const grown = (set: readonly string[] | undefined): string[] => [...new Set([...(set ?? []), ...names])];
  return {
    bounding: grown(base?.bounding),
    effective: grown(base?.effective),
    permitted: grown(base?.permitted),
    inheritable: grown(base?.inheritable),
    ambient: grown(base?.ambient),
  };
}
