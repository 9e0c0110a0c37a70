/** `create`: everything but the user's program. What it does is planned first; a failure or a kill leaves nothing. */
import { chmodSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import { planGroups } from "../cgroups/group-path.ts";
import { type CgroupLayout, detectLayout } from "../cgroups/hierarchy.ts";
import { Leaf } from "../cgroups/leaf.ts";
import { prepareLeaf } from "../cgroups/leaf-lifecycle.ts";
import type { HeldScope } from "../cgroups/systemd.ts";
import { isMissing, messageOf } from "../host/errors.ts";
import { writeFileAtomic } from "../host/files.ts";
import { mkfifo } from "../host/libc.ts";
import { lxcConfig, makesNamespace, namespaceOf } from "../lxc/config.ts";
import { planCreate } from "../lxc/create-plan.ts";
import { beginCreate, consoleFdOf } from "../lxc/native.ts";
import type { Config, IntelRdt } from "../spec/config.ts";
import { type ContainerId, parseContainerId } from "../spec/container-id.ts";
import { faultText, parseConfig } from "../spec/parse.ts";
import { recordEvent } from "../telemetry/events.ts";
import { decideProcess } from "./decisions.ts";
import { alreadyExists, ContainerError } from "./errors.ts";
import { removeGroups } from "./leaf.ts";
import type { CreateOptions } from "./options.ts";
import type { ContainerRecord } from "./record.ts";
import { refuseUnsupported } from "./refusals.ts";
import { holdScope } from "./scope.ts";
import { currentOwner, identify } from "./store.ts";

/** What a created container is known by to who goes on with it. */
export interface CreatedContainer {
  readonly record: ContainerRecord;
  readonly config: Config;
}

/** Beside the caller's options: a foreground `run` takes the terminal itself. */
export interface TerminalOptions {
  /** Packet socket that the terminal's master is sent to. */
  readonly consoleFd?: number;
}

/**
 * Creates a container (runtime.md, "Create"): its init waits for `start`.
 * @throws SpecError `invalid-config` with all faults, before anything is made
 * @throws ContainerError `container-exists`, `bundle-unusable`, `console-socket-missing`
 * @throws NativeError `native-failed` naming the step
 */
export async function createContainer(options: CreateOptions & TerminalOptions): Promise<CreatedContainer> {
  const { store, log } = options;
  // A container's mapped root must pass through the state folders, whatever mask the caller has.
  process.umask(0o022);
  const id = parseContainerId(options.id);
  const layout = detectLayout();
  const { bundle, text } = readBundle(options);
  const { config, warnings } = parseConfig(text);
  for (const warning of warnings) log.warning(faultText(warning));
  const rootfs = isAbsolute(config.root.path) ? config.root.path : join(bundle, config.root.path);
  await refuseUnsupported(config, rootfs, layout);
  checkTerminal(options, config);

  const record = newRecord(options, id, config, layout, { bundle, rootfs: realpathSync(rootfs) });

  using lock = await store.lock(id);
  if (store.exists(id)) throw alreadyExists(id);
  let made = false;
  let scope: HeldScope | undefined;
  try {
    scope = await holdScope(record);
    if (record.cgroup !== undefined) prepareLeaf(layout, new Leaf(record.cgroup.leaves));
    store.create(id, record);
    made = true;
    const created = await build(options, record, config, layout, text);
    await scope?.release();
    recordEvent(store.eventsPath, { type: "create", id, pid: created.init?.pid ?? 0 });
    return { record: created, config };
  } catch (error) {
    await scope?.release();
    // Before the record there is nothing of ours; an empty scope ends by itself.
    if (made) {
      await removeGroups(record);
      store.remove(id);
    }
    lock.releaseAndRemove();
    throw error;
  }
}

function readBundle(options: CreateOptions): { bundle: string; text: string } {
  const path = options.configPath ?? `${options.bundle}/config.json`;
  try {
    const bundle = realpathSync(options.bundle);
    // One that the caller names himself may be a pipe.
    if (options.configPath === undefined && !statSync(path).isFile()) throw new Error("not a regular file");
    return { bundle, text: readFileSync(path, "utf8") };
  } catch (cause) {
    const why = isMissing(cause) ? "no such file or directory" : messageOf(cause);
    throw new ContainerError("bundle-unusable", `bundle ${options.bundle}: open ${basename(path)}: ${why}`, {
      cause,
      fix: "Give the bundle's folder with --bundle; `spec` writes a config.json to begin with.",
    });
  }
}

function checkTerminal(options: CreateOptions & TerminalOptions, config: Config): void {
  const given = options.consoleSocket !== undefined || options.consoleFd !== undefined;
  if (config.process.terminal === true && !given) {
    throw new ContainerError(
      "console-socket-missing",
      "cannot allocate tty if runc will detach without setting console socket",
      { fix: "Give --console-socket, or set process.terminal to false." },
    );
  }
  if (config.process.terminal !== true && options.consoleSocket !== undefined) {
    throw new ContainerError(
      "console-socket-unused",
      "cannot use console socket if runc will not detach or allocate tty",
      { fix: "Leave --console-socket out, or set process.terminal to true." },
    );
  }
}

function newRecord(
  options: CreateOptions,
  id: ContainerId,
  config: Config,
  layout: CgroupLayout,
  paths: { bundle: string; rootfs: string },
): ContainerRecord {
  const creator = identify();
  if (creator === undefined) throw new ContainerError("proc-missing", "/proc/self/stat: cannot be read");
  const disabled = options.cgroupManager === "disabled";
  return {
    ociVersion: config.ociVersion,
    id,
    ...paths,
    created: new Date().toISOString(),
    phase: "creating",
    creator,
    // LXC always makes a group. Without a manager it is one of our own choice, and nothing is limited in it.
    cgroup: planGroups(layout, {
      id,
      driver: options.cgroupManager === "systemd" ? "systemd" : "cgroupfs",
      ...(disabled ? {} : { cgroupsPath: config.linux?.cgroupsPath }),
    }),
    cgroupManager: options.cgroupManager,
    annotations: config.annotations ?? {},
    owner: currentOwner(),
  };
}

/** The files that LXC and the C program use, in the container's folder. */
function stateFiles(directory: string) {
  return {
    lxcPath: `${directory}/lxc`,
    lxcConfig: `${directory}/lxc.conf`,
    rootfs: `${directory}/rootfs`,
    lxcLog: `${directory}/lxc.log`,
  };
}

async function build(
  options: CreateOptions & TerminalOptions,
  record: ContainerRecord,
  config: Config,
  layout: CgroupLayout,
  text: string,
): Promise<ContainerRecord> {
  const { store, log } = options;
  const { id } = record;
  const directory = store.directory(id);
  const files = {
    ...stateFiles(directory),
    startFifo: store.startFifoPath(id),
    resultFifo: store.resultFifoPath(id),
    hooks: store.hooksPath(id),
  };
  const userNamespace = namespaceOf(config, "user") !== undefined;
  const groups = record.cgroup ?? { path: "", monitor: "", leaves: {}, monitors: {} };
  writeFileSync(store.configPath(id), text, { mode: 0o600 });
  mkdirSync(files.lxcPath);
  // LXC looks whether the mapped root can pass through it.
  chmodSync(files.lxcPath, 0o711);
  mkdirSync(files.hooks, { mode: 0o700 });
  mkfifo(files.startFifo, 0o600);
  mkfifo(files.resultFifo, 0o600);
  if (userNamespace || !makesNamespace(config, "mount")) {
    mkdirSync(files.rootfs);
    chmodSync(files.rootfs, 0o755);
  }
  const lxcText = lxcConfig({
    config,
    rootfs: userNamespace ? files.rootfs : record.rootfs,
    groups,
    logFile: files.lxcLog,
    noNewKeyring: options.noNewKeyring,
  });
  writeFileSync(files.lxcConfig, lxcText, { mode: 0o600 });
  // LXC would only say that it refuses the configuration.
  writeFileSync(files.lxcLog, "", { mode: 0o600 });
  const process = await decideProcess(config.process, {
    linux: config.linux,
    userNamespace,
    seccompCache: `${store.root}/seccomp`,
    preserveFds: options.preserveFds,
    listenFds: options.listenFds,
    log,
  });
  const plan = planCreate({
    id,
    config,
    bundle: record.bundle,
    rootfs: record.rootfs,
    ...(userNamespace ? { rootfsReach: files.rootfs } : {}),
    files,
    monitorGroups: Object.values(groups.monitors),
    mounts: {
      bundle: record.bundle,
      hierarchies: layout.hierarchies.map(({ version, mountPoint, controllers, key }) => ({
        version,
        name: basename(mountPoint),
        controllers,
        leaf: groups.leaves[key] ?? "",
      })),
      userNamespace,
      cgroupNamespace: makesNamespace(config, "cgroup"),
      mountLabel: config.linux?.mountLabel,
      uidMappings: config.linux?.uidMappings,
      gidMappings: config.linux?.gidMappings,
    },
    process,
    ...(process.seccomp?.listener === undefined ? {} : { listener: process.seccomp.listener }),
    ...(options.consoleSocket === undefined ? {} : { consoleSocket: options.consoleSocket }),
    ...(options.consoleFd === undefined ? {} : { consoleFd: consoleFdOf(options.preserveFds) }),
    ...(options.pidfdSocket === undefined ? {} : { pidfdSocket: options.pidfdSocket }),
  });
  const built = beginCreate(plan, {
    preserveFds: options.preserveFds,
    ...(options.consoleFd === undefined ? {} : { console: options.consoleFd }),
  });
  // Loaded while the C program builds.
  const [{ limitContainer }, { writeShortcuts }] = await Promise.all([
    import("./limits.ts"),
    import("./shortcuts.ts"),
  ]);
  const report = built();
  for (const warning of report.warnings) log.warning(warning);
  const init = report.init === undefined ? undefined : identify(report.init);
  if (init === undefined) {
    throw new ContainerError(
      "init-ended",
      `container ${JSON.stringify(id)}: its init ended before it was ready`,
    );
  }
  store.save({ ...record, init });
  await limitContainer(record, config);
  if (config.linux?.intelRdt !== undefined) await joinCacheClass(config.linux.intelRdt, id, init.pid);
  if (config.linux?.netDevices !== undefined) {
    const { moveNetDevices } = await import("./net-devices.ts");
    await moveNetDevices(config.linux.netDevices, init.pid);
  }
  const created: ContainerRecord = { ...record, init, phase: "created" };
  writeShortcuts(store, created, config);
  store.save(created);
  // Last: who waits for the file may go on as soon as it is there.
  if (options.pidFile !== undefined) writeFileAtomic(options.pidFile, String(init.pid), { mode: 0o644 });
  return created;
}

/** Puts init into its class of service; `delete` removes what is made here. */
async function joinCacheClass(rdt: IntelRdt, id: string, pid: number): Promise<void> {
  const { applyRdt, planRdt, resctrlRoot } = await import("../cgroups/rdt.ts");
  const root = resctrlRoot();
  if (root !== undefined) applyRdt(rdt, planRdt(rdt, root, id), pid);
}
