/** `launch`: from an unpacked image to a running container. Each step is undone when a later one fails. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import { defaultIdMap, toHostId } from "../../security/userns.ts";
import type { Config } from "../../spec/config.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { IdMaps } from "../../storage/driver.ts";
import { openStorage } from "../../storage/storage.ts";
import type { CgroupManager } from "../cgroup-record.ts";
import { deleteContainer } from "../delete.ts";
import { alreadyExists } from "../errors.ts";
import { startContainer } from "../start.ts";
import { ContainerStore } from "../store.ts";
import { createUnderConmon } from "./conmon.ts";
import { appArmorProfiles, findDevice, haltSignal, lxcfsFiles, seccompArchitecture } from "./facts.ts";
import { writeIdentityFiles, writeSystemHostname } from "./identity-files.ts";
import { chooseName, parseName } from "./name.ts";
import { planConfig } from "./plan-config.ts";
import { type NamedMount, nameMounts, unnamedVolumes } from "./plan-mounts.ts";
import type { LaunchedRecord } from "./record.ts";
import { type LaunchedContext, removeLocked } from "./remove.ts";
import type { LaunchImage, LaunchRequest } from "./request.ts";
import { readUserFiles, resolveUser } from "./users.ts";
import { prepareVolume } from "./volumes.ts";

/** Who stays with a container from its start. */
export interface Attendant {
  /** The container waits to be started: nothing of its output has been missed. */
  attach(record: LaunchedRecord): void;
  /** It will not be started after all. */
  giveUp(): void;
}

const nobody: Attendant = { attach: () => {}, giveUp: () => {} };

/** Beside the context of other operations. */
export interface LaunchContext extends LaunchedContext {
  readonly cgroupManager: CgroupManager;
}

/**
 * Makes and starts a container. A leftover of a killed launch under the same name is replaced.
 * @throws LxcriError `container-exists`, `create-failed`, or what planning refuses; nothing is left then
 */
export async function launchContainer(
  image: LaunchImage,
  asked: LaunchRequest,
  context: LaunchContext,
  attendant: Attendant = nobody,
): Promise<LaunchedRecord> {
  const { launched, store } = context;
  const name =
    asked.name === undefined
      ? chooseName((each) => launched.exists(each) || store.exists(each))
      : parseName(asked.name);
  // An init wants a console, and conmon keeps what it prints there.
  const request = image.kind === "system" ? { ...asked, tty: true } : asked;
  const lock = await launched.lock(name);
  try {
    await clearLeftover(context, name);
    const record = newRecord(name, image, request, context);
    launched.save(record);
    try {
      const rooted = await prepare(image, request, record, context);
      return await startUnderConmon(rooted, context, attendant);
    } catch (error) {
      attendant.giveUp();
      await removeLocked(context, name, { force: true, volumes: true });
      throw error;
    }
  } finally {
    lock.release();
  }
}

/** We hold its lock, so nobody is about to finish it. */
async function clearLeftover(context: LaunchContext, name: ContainerId): Promise<void> {
  const { launched, store } = context;
  if (launched.exists(name)) {
    if (launched.find(name)?.phase === "launched") throw alreadyExists(name);
    await removeLocked(context, name, { force: true, volumes: true });
  }
  if (store.exists(name)) throw alreadyExists(name);
}

function newRecord(
  name: ContainerId,
  image: LaunchImage,
  request: LaunchRequest,
  { store, cgroupManager }: LaunchContext,
): LaunchedRecord {
  return {
    name,
    phase: "preparing",
    created: new Date().toISOString(),
    root: store.root,
    cgroupManager,
    image: image.name,
    digest: image.digest,
    kind: image.kind,
    tty: request.tty,
    interactive: request.interactive,
    remove: request.remove,
    privileged: request.privileged,
    stopSignal: image.config.StopSignal ?? "SIGTERM",
    labels: { ...image.config.Labels, ...request.labels },
    unnamedVolumes: unnamedVolumes(nameMounts(name, image, request)),
  };
}

/** File system, volumes, files and config of the container. */
async function prepare(
  image: LaunchImage,
  request: LaunchRequest,
  record: LaunchedRecord,
  { launched }: LaunchContext,
): Promise<LaunchedRecord> {
  const { name } = record;
  const idMaps: IdMaps | undefined = request.privileged ? undefined : defaultIdMap();
  const { rootfs } = await openStorage(launched.dataRoot).prepare(name, image.layers, idMaps);
  const mounts = nameMounts(name, image, request);
  const system = image.kind === "system";
  const owner = {
    uid: toHostId(idMaps?.uidMappings ?? [], 0) ?? 0,
    gid: toHostId(idMaps?.gidMappings ?? [], 0) ?? 0,
  };
  const hostname = request.hostname ?? name;
  const config = planConfig(image, request, {
    id: name,
    // From the bundle, so that a rename of the container's folder is all there is to rename.
    rootfs: "../rootfs",
    user: resolveUser(request.user ?? image.config.User, readUserFiles(rootfs)),
    ...(idMaps === undefined ? {} : { idMaps }),
    mounts,
    volumes: await prepareVolumes(launched.dataRoot, mounts, rootfs, idMaps),
    devices: request.devices.map(findDevice),
    lxcfs: lxcfsFiles(),
    architecture: seccompArchitecture(),
    appArmorProfiles: appArmorProfiles(),
    ...(system
      ? {}
      : {
          identity: writeIdentityFiles(
            launched.makeIdentityFolder(name),
            { hostname, network: request.network },
            owner,
          ),
        }),
  });
  writeConfig(launched.bundle(name), config);
  if (system) writeSystemHostname(rootfs, hostname, owner);
  return system ? { ...record, stopSignal: haltSignal(rootfs) } : record;
}

const writeConfig = (bundle: string, config: Config): void =>
  // The seccomp profile's numbers may be larger than what JSON.stringify takes; those of ours all fit a double.
  writeFileSync(
    join(bundle, "config.json"),
    JSON.stringify(config, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value)),
    { mode: 0o600 },
  );

async function prepareVolumes(
  dataRoot: string,
  mounts: readonly NamedMount[],
  rootfs: string,
  idMaps: IdMaps | undefined,
): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const mount of mounts) {
    if (mount.kind !== "volume") continue;
    const { name, destination, options } = mount;
    const shifts = options.includes("idmap") || options.includes("ridmap");
    const model = { rootfs, destination, ...(idMaps === undefined ? {} : { idMaps }) };
    folders.set(name, await prepareVolume(dataRoot, name, shifts ? undefined : model));
  }
  return folders;
}

/** Creates and starts the OCI container of a prepared record, which is saved with its conmon. */
async function startUnderConmon(
  record: LaunchedRecord,
  { launched, log, program }: LaunchedContext,
  attendant: Attendant,
): Promise<LaunchedRecord> {
  const { name, root } = record;
  const remove = ["--root", root, "--data-root", launched.dataRoot, "rm", "--force", "--volumes", name];
  const conmon = await createUnderConmon({
    program,
    id: name,
    bundle: launched.bundle(name),
    log: launched.logPath(name),
    root,
    cgroupManager: record.cgroupManager,
    terminal: record.tty,
    stdin: record.interactive,
    keepStdin: record.tty,
    ...(record.remove ? { exitCommand: remove } : {}),
  });
  const running: LaunchedRecord = { ...record, phase: "launched", conmon };
  launched.save(running);
  attendant.attach(running);
  await startContainer({ store: ContainerStore.open(root), id: name, log });
  return running;
}

/**
 * Starts a launched container that has ended, or that a reboot ended, with the config that it had.
 * @throws LxcriError `container-not-found`, `container-running`, `create-failed`
 */
export async function relaunchContainer(
  name: string,
  context: LaunchedContext,
  attendant: Attendant = nobody,
): Promise<LaunchedRecord> {
  const { launched, log } = context;
  const lock = await launched.lock(name);
  try {
    const record = launched.load(name);
    if (record.phase === "preparing") {
      throw new LxcriError(
        "container-damaged",
        `container ${JSON.stringify(name)}: was never launched whole`,
        {
          fix: `Launch it again, or remove it: proxmox-lxcri rm --force ${name}`,
        },
      );
    }
    const target = { store: ContainerStore.open(record.root), id: name, log };
    if (target.store.exists(name)) await deleteContainer(target, { force: false });
    await openStorage(launched.dataRoot).remount(record.name);
    try {
      return await startUnderConmon(record, context, attendant);
    } catch (error) {
      attendant.giveUp();
      await deleteContainer(target, { force: true });
      throw error;
    }
  } finally {
    lock.release();
  }
}
