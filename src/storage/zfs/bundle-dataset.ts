/**
 * A dataset of its own for an OCI container whose bundle brings a plain root file system: made and filled by
 * `create`, destroyed by `delete`.
 *
 *     POOL/containers/<id>      the container's root file system
 *
 * It is asked for by the administrator's settings (/etc/proxmox-lxcri/zfs.json) and, within what they allow, by the
 * bundle's annotations:
 *
 *     {"dataset": "tank/containers",      parent of the datasets; must exist
 *      "mountpoints": "/srv/containers",  annotations may choose a mount point below it; none where it is missing
 *      "properties": {"quota": "10G", "compression": "lz4"}}
 *
 *     proxmox-lxcri.zfs: "true" | "false"              for this container; default: true with settings
 *     proxmox-lxcri.zfs.<property>: <value>            quota, reservation, mountpoint and others
 */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";
import { isMissing, LxcriError } from "../../host/errors.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { isDataset } from "../location.ts";
import { runProgramChecked } from "../program.ts";
import { findProperty, mountDataset, ZfsError, zfs } from "./zfs.ts";

/** Where the settings are unless something else is said. */
export const ZFS_SETTINGS = "/etc/proxmox-lxcri/zfs.json";
const ANNOTATION = "proxmox-lxcri.zfs";

/** The settings. */
export interface ZfsSettings {
  readonly dataset: string;
  readonly mountpoints?: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** What `create` is to make. */
export interface BundleDataset {
  readonly dataset: string;
  /** Of `zfs create -o`; a mount point too where one is chosen. */
  readonly properties: Readonly<Record<string, string>>;
}

/** What a bundle may set: nothing that reaches beyond the dataset, as sharing over the network would. */
const PROPERTIES = new Set([
  "atime",
  "checksum",
  "compression",
  "copies",
  "dedup",
  "devices",
  "exec",
  "logbias",
  "mountpoint",
  "primarycache",
  "quota",
  "recordsize",
  "refquota",
  "refreservation",
  "relatime",
  "reservation",
  "secondarycache",
  "setuid",
  "snapdir",
  "sync",
  "xattr",
]);

const refused = (message: string, fix?: string): LxcriError =>
  new LxcriError("zfs-property-refused", message, fix === undefined ? {} : { fix });

/** The settings; undefined where there are none. @throws LxcriError `zfs-settings-invalid` */
export function readZfsSettings(path: string = ZFS_SETTINGS): ZfsSettings | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const invalid = (why: string): LxcriError => new LxcriError("zfs-settings-invalid", `${path}: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("is not JSON");
  }
  if (typeof value !== "object" || value === null) throw invalid("is no object");
  const { dataset, mountpoints, properties = {} } = value as Partial<Record<keyof ZfsSettings, unknown>>;
  if (typeof dataset !== "string" || !isDataset(dataset)) throw invalid("dataset is no name of a dataset");
  if (mountpoints !== undefined && !isFolderPath(mountpoints))
    throw invalid("mountpoints is no absolute path");
  if (typeof properties !== "object" || properties === null) throw invalid("properties is no object");
  for (const [name, each] of Object.entries(properties)) {
    if (typeof each !== "string") throw invalid(`properties.${name} is no text`);
  }
  return {
    dataset,
    properties: properties as Record<string, string>,
    ...(mountpoints === undefined ? {} : { mountpoints }),
  };
}

const isFolderPath = (value: unknown): value is string =>
  typeof value === "string" && isAbsolute(value) && normalize(value) === value && !value.includes("\0");

/**
 * Whether the container is to have a dataset, and which; pure.
 * @throws LxcriError `zfs-property-refused` naming the annotation
 */
export function planBundleDataset(
  id: ContainerId,
  annotations: Readonly<Record<string, string>>,
  settings: ZfsSettings | undefined,
): BundleDataset | undefined {
  const wish = annotations[ANNOTATION];
  if (wish === "false" || (settings === undefined && wish === undefined)) return undefined;
  if (settings === undefined) {
    throw refused(
      `annotation ${ANNOTATION}: this node has no dataset for containers`,
      `Name one in ${ZFS_SETTINGS}: {"dataset": "POOL/containers"}`,
    );
  }
  const properties: Record<string, string> = { ...settings.properties };
  const prefix = `${ANNOTATION}.`;
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length);
    checkProperty(key, name, value, settings);
    properties[name] = value;
  }
  // `+` is no letter of a ZFS name
  const dataset = `${settings.dataset}/${id.replaceAll("+", ":")}`;
  if (isDataset(dataset)) return { dataset, properties };
  throw refused(`container ${id}: ${dataset} is no name that ZFS takes`, "Choose a shorter id.");
}

function checkProperty(key: string, name: string, value: string, { mountpoints }: ZfsSettings): void {
  const isUser = /^[a-z0-9._-]+:[a-z0-9:._-]+$/.test(name);
  if (!isUser && !PROPERTIES.has(name)) {
    throw refused(`annotation ${key}: ${name} is not a property that a container may set`);
  }
  if (!/^[\x20-\x7e]{1,1024}$/.test(value)) throw refused(`annotation ${key}: not a value for ZFS`);
  if (name !== "mountpoint") return;
  if (mountpoints !== undefined && isFolderPath(value) && value.startsWith(`${mountpoints}/`)) return;
  throw refused(
    `annotation ${key}: ${value} is not below ${mountpoints ?? "a folder for mount points"}`,
    `The folder below which containers may choose is "mountpoints" in ${ZFS_SETTINGS}.`,
  );
}

/**
 * Makes the dataset and fills it from the bundle's root file system. One that a killed `create` left is made anew;
 * the caller holds the container's lock, and has recorded the dataset's name.
 * @returns the folder to run the container from
 * @throws ZfsError `dataset-missing` naming the parent, LxcriError `zfs-mountpoint-used`
 */
export async function makeBundleDataset(plan: BundleDataset, rootfs: string): Promise<string> {
  const { dataset, properties } = plan;
  await destroyBundleDataset(dataset);
  const { mountpoint } = properties;
  if (mountpoint !== undefined && existsSync(mountpoint) && readdirSync(mountpoint).length > 0) {
    throw new LxcriError("zfs-mountpoint-used", `dataset ${dataset}: ${mountpoint} is not empty`);
  }
  if (mountpoint !== undefined) mkdirSync(mountpoint, { recursive: true });
  const options = Object.entries(properties).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  try {
    await zfs("create", ...options, dataset);
    const folder = await mountDataset(dataset);
    await runProgramChecked(["cp", "-a", "-T", "--", rootfs, folder], { timeout: 3_600_000 });
    const { uid, gid, mode } = statSync(rootfs);
    chownSync(folder, uid, gid);
    chmodSync(folder, mode & 0o7777);
    return folder;
  } catch (error) {
    await destroyBundleDataset(dataset);
    if (!(error instanceof ZfsError) || error.code !== "dataset-missing") throw error;
    const parent = dataset.slice(0, dataset.lastIndexOf("/"));
    throw new ZfsError("dataset-missing", `dataset ${parent} is missing, where containers are to be`, {
      cause: error,
      fix: `zfs create -p ${parent}`,
    });
  }
}

/** Destroys the dataset with its checkpoints; nothing happens where there is none. */
export async function destroyBundleDataset(dataset: string): Promise<void> {
  if ((await findProperty(dataset, "type")) === undefined) return;
  await zfs("destroy", "-r", dataset);
}
