/** Real storage of each kind for tests: zfs-fuse, btrfs in a loop file, a recording pvesm, plain folders. */
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unmountAll } from "../host/mount-point.ts";
import { runChecked } from "../host/process.ts";
import { ZfsPool } from "./zfs/zfs.fixture.ts";

/** Where a test keeps its containers. */
export interface Place extends AsyncDisposable {
  readonly location: string;
}

/** A folder that goes with all in it. */
export class TestFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "lxcri-storage-"));

  constructor() {
    chmodSync(this.path, 0o711);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A btrfs in a loop file. */
export async function btrfsPlace(): Promise<Place> {
  const folder = new TestFolder();
  const file = join(folder.path, "image");
  const point = join(folder.path, "mounted");
  closeSync(openSync(file, "w"));
  truncateSync(file, 512 << 20);
  mkdirSync(point);
  await runChecked(["mkfs.btrfs", "-q", file]);
  await runChecked(["mount", "-o", "loop", file, point]);
  return {
    location: `btrfs:${point}/lxcri`,
    async [Symbol.asyncDispose]() {
      unmountAll(point);
      folder[Symbol.dispose]();
    },
  };
}

/** A pool of zfs-fuse. */
export async function zfsPlace(): Promise<Place> {
  const pool = await ZfsPool.make();
  return { location: `zfs:${pool.name}`, [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]() };
}

/** Stands where pvesm would, records each call, and keeps image files. */
const PVESM = `#!/bin/sh
dir=$(dirname "$0")
echo "$*" >> "$dir/calls"
case $1 in
  status) echo "Name Type Status Total Used Available %"; echo "$3 nfs active 1 1 1 0%" ;;
  list) echo "Volid Format Type Size VMID"
    for f in "$dir"/volumes/*; do [ -e "$f" ] && echo "$2:$4/$(basename "$f") raw images 1 $4"; done; exit 0 ;;
  alloc) truncate -s 64M "$dir/volumes/$4"; echo "successfully created '$2:$3/$4'" ;;
  path) echo "$dir/volumes/\${2##*/}" ;;
  free) rm "$dir/volumes/\${2##*/}" ;;
esac
`;

/** A Proxmox VE storage whose pvesm is a recording one. */
export interface PvePlace extends Place {
  /** The calls of pvesm since the last time, without its name. */
  calls(): string[];
}

export async function pvePlace(): Promise<PvePlace> {
  const folder = new TestFolder();
  const before = process.env.PATH;
  mkdirSync(join(folder.path, "volumes"));
  writeFileSync(join(folder.path, "pvesm"), PVESM, { mode: 0o755 });
  writeFileSync(join(folder.path, "calls"), "");
  process.env.PATH = `${folder.path}:${before}`;
  return {
    location: "pve:shared,vmid=900123,size=1",
    calls: () => {
      const calls = readFileSync(join(folder.path, "calls"), "utf8").trim().split("\n");
      writeFileSync(join(folder.path, "calls"), "");
      return calls;
    },
    async [Symbol.asyncDispose]() {
      process.env.PATH = before;
      folder[Symbol.dispose]();
    },
  };
}

const nothing = async (): Promise<void> => {};

/** All kinds by name. */
export const places: readonly (readonly [string, () => Promise<Place>])[] = [
  ["overlay", async () => ({ location: "overlay", [Symbol.asyncDispose]: nothing })],
  ["dir", async () => ({ location: "dir", [Symbol.asyncDispose]: nothing })],
  ["btrfs", btrfsPlace],
  ["zfs", zfsPlace],
  ["pve", pvePlace],
];
