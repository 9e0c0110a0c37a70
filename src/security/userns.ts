/** User namespaces: which host ids an unprivileged container gets, and how ids translate; user_namespaces(7). */
import { readFileSync } from "node:fs";
import { isMissing } from "../host/errors.ts";
import type { IdMapping } from "../spec/config.ts";

/** `size` ids from `start` on, all on the host's side. */
export interface IdRange {
  readonly start: number;
  readonly size: number;
}

/** Used where /etc/subuid or /etc/subgid grants root nothing; what Proxmox VE ships. */
export const DEFAULT_ID_RANGE: IdRange = { start: 100_000, size: 65_536 };

/** Ids above this are not valid: 2³²−1 means "no id". */
const ID_LIMIT = 0xffff_ffff;

/**
 * The ranges that a subuid(5) or subgid(5) text grants to a user, by name or by id, in the file's order. Lines
 * that are not `owner:start:count` with a usable range are left out, as shadow's tools do.
 */
export function parseSubIds(text: string, user: string, uid: number): IdRange[] {
  const ranges: IdRange[] = [];
  for (const line of text.split("\n")) {
    const match = /^([^:#]+):(\d{1,10}):(\d{1,10})\s*$/.exec(line);
    if (match === null || (match[1] !== user && match[1] !== String(uid))) continue;
    const range = { start: Number(match[2]), size: Number(match[3]) };
    if (range.size > 0 && range.start + range.size <= ID_LIMIT) ranges.push(range);
  }
  return ranges;
}

/** Reads what /etc/subuid or /etc/subgid (or the file given) grants to root; empty where there is no file. */
export function rootSubIds(file: string): IdRange[] {
  try {
    return parseSubIds(readFileSync(file, "utf8"), "root", 0);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The uid and gid map of one container. */
export interface IdMaps {
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

/**
 * The map for an unprivileged container that nobody chose a range for: container ids 0 to 65,535 on the first of
 * root's ranges that is large enough, else on {@link DEFAULT_ID_RANGE}. All such containers share it.
 */
export function defaultIdMap(subuid = "/etc/subuid", subgid = "/etc/subgid"): IdMaps {
  const map = (file: string): IdMapping[] => {
    const size = DEFAULT_ID_RANGE.size;
    const range = rootSubIds(file).find((granted) => granted.size >= size) ?? DEFAULT_ID_RANGE;
    return [{ containerID: 0, hostID: range.start, size }];
  };
  return { uidMappings: map(subuid), gidMappings: map(subgid) };
}

/** The host's id of a container's id; undefined where the map leaves it out. */
export function toHostId(mappings: readonly IdMapping[], id: number): number | undefined {
  const found = mappings.find((m) => id >= m.containerID && id < m.containerID + m.size);
  return found === undefined ? undefined : found.hostID + (id - found.containerID);
}

/** The container's id of a host's id; undefined where the map leaves it out. */
export function toContainerId(mappings: readonly IdMapping[], id: number): number | undefined {
  const found = mappings.find((m) => id >= m.hostID && id < m.hostID + m.size);
  return found === undefined ? undefined : found.containerID + (id - found.hostID);
}

/** True where the two ranges have an id in common. */
export const overlaps = (a: IdRange, b: IdRange): boolean =>
  a.start < b.start + b.size && b.start < a.start + a.size;
