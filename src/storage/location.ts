/**
 * Where storage is: a driver and its place, as a person writes it.
 *
 *     overlay             in the data root; the default
 *     dir                 in the data root; whole copies, by reflink where the file system can
 *     dir:/srv/lxcri      in another folder
 *     btrfs, btrfs:/DIR   subvolumes; the folder must be on btrfs
 *     zfs:POOL/DATASET    datasets below one that exists
 *     pve:STORAGE         layers in the data root, a volume of a Proxmox VE storage for what a container changes
 *     pve:STORAGE,vmid=900000,size=8    the guest that the volumes are booked on, and their size in GiB
 */
import { isAbsolute, normalize } from "node:path";
import { LxcriError } from "../host/errors.ts";
import type { PveStorage } from "./pve/pvesm.ts";

/** A parsed location. */
export type Location =
  | { readonly driver: "overlay" }
  | { readonly driver: "dir" | "btrfs"; readonly path?: string }
  | { readonly driver: "zfs"; readonly dataset: string }
  | { readonly driver: "pve"; readonly place: PveStorage };

/** ZFS's rule for names, without blanks. */
const DATASET = /^[A-Za-z][\w.:-]*(\/[A-Za-z0-9_][\w.:-]*)*$/;
/** Proxmox VE's rule for storage ids. */
const STORAGE = /^[A-Za-z][\w.-]*[A-Za-z0-9]$/;

/** @throws LxcriError `location-invalid` */
export function parseLocation(text: string): Location {
  const colon = text.indexOf(":");
  const driver = colon < 0 ? text : text.slice(0, colon);
  const place = colon < 0 ? undefined : text.slice(colon + 1);
  if (driver === "overlay" && place === undefined) return { driver };
  if (driver === "dir" || driver === "btrfs") {
    if (place === undefined) return { driver };
    if (isAbsolute(place) && normalize(place) === place && place.length > 1) return { driver, path: place };
  }
  if (driver === "zfs" && place !== undefined && isDataset(place)) return { driver, dataset: place };
  if (driver === "pve" && place !== undefined) {
    const found = parsePve(place);
    if (found !== undefined) return { driver, place: found };
  }
  throw new LxcriError("location-invalid", `${JSON.stringify(text)} is no storage location`, {
    fix: "Locations are overlay, dir[:/FOLDER], btrfs[:/FOLDER], zfs:POOL/DATASET and pve:STORAGE[,vmid=N][,size=GIB].",
  });
}

/** A guest number that nobody chooses by chance. */
const DEFAULT_VMID = 900_000;
const DEFAULT_SIZE = 8;

function parsePve(place: string): PveStorage | undefined {
  const [storage = "", ...options] = place.split(",");
  const settings = { vmid: DEFAULT_VMID, size: DEFAULT_SIZE };
  for (const option of options) {
    const [, name, value] = /^(vmid|size)=([1-9]\d{0,8})$/.exec(option) ?? [];
    if (name !== "vmid" && name !== "size") return undefined;
    settings[name] = Number(value);
  }
  return STORAGE.test(storage) && settings.vmid >= 100 ? { storage, ...settings } : undefined;
}

/** Whether it can be a ZFS file system's name. */
export const isDataset = (text: string): boolean => text.length < 200 && DATASET.test(text);
