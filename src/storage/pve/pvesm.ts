/** Volumes of a Proxmox VE storage, through `pvesm`. */
import { existsSync, statSync } from "node:fs";
import { LxcriError } from "../../host/errors.ts";
import { runProgram, runProgramChecked } from "../program.ts";

/** A storage of /etc/pve/storage.cfg, and what volumes are made in it. */
export interface PveStorage {
  readonly storage: string;
  /** The guest that the volumes are booked on. */
  readonly vmid: number;
  /** GiB of a new volume. */
  readonly size: number;
}

/** Types whose volumes are files, which need an ending. */
const FILE_TYPES = new Set(["dir", "nfs", "cifs", "cephfs", "glusterfs", "btrfs"]);

const pvesm = async (...args: readonly string[]): Promise<string> => {
  try {
    const { PATH = "/usr/sbin:/usr/bin:/sbin:/bin" } = process.env;
    return (await runProgramChecked(["pvesm", ...args], { timeout: 300_000, env: { PATH, LC_ALL: "C" } }))
      .stdout;
  } catch (cause) {
    if (!(cause instanceof LxcriError) || cause.code !== "program-missing") throw cause;
    throw new LxcriError("pve-missing", "there is no pvesm here: this is no Proxmox VE node", { cause });
  }
};

/** The storage's type: `lvmthin`, `rbd`, `nfs` and so on. @throws LxcriError `pve-storage-inactive` */
async function typeOf(storage: string): Promise<string> {
  const text = await pvesm("status", "--storage", storage);
  for (const line of text.split("\n")) {
    const [name, type, status] = line.trim().split(/\s+/);
    if (name === storage && type !== undefined && status === "active") return type;
  }
  throw new LxcriError("pve-storage-inactive", `Proxmox VE storage ${storage} is not active on this node`, {
    fix: "`pvesm status` shows those that are.",
  });
}

/** Volume ids of the guest's volumes. */
export async function listVolumes({ storage, vmid }: PveStorage): Promise<string[]> {
  const text = await pvesm("list", storage, "--vmid", String(vmid));
  return text.split("\n").flatMap((line) => {
    const [id = ""] = line.trim().split(/\s+/);
    return id.startsWith(`${storage}:`) ? [id] : [];
  });
}

/** The volume of this name; undefined where there is none. The name is its own, whatever the storage puts around it. */
export async function findVolume(place: PveStorage, name: string): Promise<string | undefined> {
  const file = `vm-${place.vmid}-${name}`;
  const volumes = await listVolumes(place);
  return volumes.find((id) => [file, `${file}.raw`].includes(id.split(/[:/]/).at(-1) ?? ""));
}

/** Makes a volume. @returns its volume id */
export async function allocVolume(place: PveStorage, name: string): Promise<string> {
  const { storage, vmid, size } = place;
  const file = `vm-${vmid}-${name}${FILE_TYPES.has(await typeOf(storage)) ? ".raw" : ""}`;
  await pvesm("alloc", storage, String(vmid), file, `${size}G`, "--format", "raw");
  const id = await findVolume(place, name);
  if (id !== undefined) return id;
  throw new LxcriError("pve-volume-missing", `${storage}: pvesm made ${file}, but does not list it`);
}

/** Removes a volume. */
export const freeVolume = async (id: string): Promise<void> => {
  await pvesm("free", id);
};

/**
 * The block device or image file of a volume; a logical volume that a reboot left inactive is activated.
 * @throws LxcriError `pve-volume-unreachable`
 */
export async function pathOfVolume(id: string): Promise<{ readonly path: string; readonly isFile: boolean }> {
  const path = (await pvesm("path", id)).trim();
  if (!existsSync(path) && path.startsWith("/dev/")) {
    await runProgram(["lvchange", "--activate", "y", "--ignoreactivationskip", path.slice("/dev/".length)]);
  }
  if (path.startsWith("/") && existsSync(path)) return { path, isFile: statSync(path).isFile() };
  throw new LxcriError("pve-volume-unreachable", `volume ${id}: ${path} is not there on this node`, {
    fix: "A Ceph storage needs the option krbd, and its images be mapped.",
  });
}
