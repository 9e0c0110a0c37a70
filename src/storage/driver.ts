/**
 * Storage: where layers and containers' root file systems are kept. One interface, several drivers. May call spec
 * and host. All state is on disk; every operation can be killed at any moment and be repeated.
 *
 * {@link SnapshotDriver} is what other rooms see: containers by id. {@link StorageDriver} is what a kind of storage
 * does for it: layers, and volumes that it is told where to mount.
 */
import type { IdMapping } from "../spec/config.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { Digest } from "../spec/digest.ts";

/** Where images, layers and containers are kept unless something else is said. */
export const DEFAULT_DATA_ROOT = "/var/lib/proxmox-lxcri";

/** Owners' shift of an unprivileged container: container ids to host ids. */
export interface IdMaps {
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

/**
 * A layer that is being written; nobody else writes the same one. End it with `commit` or `discard`.
 */
export interface LayerDraft {
  /** Empty folder to unpack into; owners as in the archive. */
  readonly folder: string;
  /**
   * Whether whiteouts are to be written as overlayfs has them; otherwise they stay what they are in the archive,
   * files named `.wh.…`.
   */
  readonly overlayWhiteouts: boolean;
  /** Folders of the layers below, topmost first; they must be complete. */
  lowers(): string[];
  /** Puts the layer in its place. `size`: bytes of its archive. */
  commit(size: number): Promise<void>;
  /** Removes what was written; harmless after `commit`. */
  discard(): Promise<void>;
}

/** A complete layer. */
export interface Layer {
  readonly chainId: Digest;
  /** Chain id of the layer below. */
  readonly parent?: Digest;
  /** Bytes of the layer's archive. */
  readonly size: number;
}

/** A container's file system. */
export interface Snapshot {
  readonly id: ContainerId;
  /** Where it is kept: `overlay`, `zfs:tank/lxcri`; see location.ts. */
  readonly location: string;
  /** Chain ids, lowest first. */
  readonly layers: readonly Digest[];
  readonly idMaps?: IdMaps;
  /** The folder to run the container from. */
  readonly rootfs: string;
  readonly mounted: boolean;
}

/** Space that something takes on disk. */
export interface Usage {
  readonly bytes: number;
  readonly inodes: number;
}

/** Layers, kept by chain id. */
export interface LayerKeeper {
  /** Layers can be unpacked side by side, before those below are there. */
  readonly independentLayers: boolean;

  hasLayer(chainId: Digest): boolean;
  /** All complete layers, in no order. */
  layers(): Layer[];
  /**
   * Begins to write the last layer of the chain; undefined where it is there already. Waits while another process
   * writes it.
   * @param chain chain ids of the layer and those below, lowest first
   */
  beginLayer(chain: readonly Digest[], signal?: AbortSignal): Promise<LayerDraft | undefined>;
  /** @throws LxcriError `layer-missing` */
  layerUsage(chainId: Digest): Promise<Usage>;
}

/** Keeps layers, and containers' file systems made of them. */
export interface SnapshotDriver extends LayerKeeper {
  /**
   * Removes a layer; false where a container or a layer above it needs it, true also where there is none.
   * Safe beside `prepare`.
   */
  removeLayer(chainId: Digest): Promise<boolean>;

  /**
   * Makes and mounts the container's file system over the layers. The same call again finds it there.
   * @throws LxcriError `layer-missing`, `snapshot-exists` where the id has other layers or maps
   */
  prepare(id: ContainerId, layers: readonly Digest[], idMaps?: IdMaps): Promise<Snapshot>;
  /** Mounts it again, after a reboot for example. @throws LxcriError `snapshot-not-found` */
  remount(id: ContainerId): Promise<Snapshot>;
  /** Unmounts and removes it with its checkpoints; nothing happens where there is none. */
  remove(id: ContainerId): Promise<void>;
  /** What the container itself wrote. @throws LxcriError `snapshot-not-found` */
  usage(id: ContainerId): Promise<Usage>;
  list(): Snapshot[];
}

/** A container's volume as the storage tells the driver. */
export interface ContainerVolume {
  /** The container's folder in the data root; the file system is mounted on `rootfs` in it. */
  readonly folder: string;
  /** The driver's name for the volume; stays when the container is renamed. */
  readonly name: string;
  /** Chain ids, lowest first. */
  readonly layers: readonly Digest[];
  readonly idMaps?: IdMaps;
}

/** What a layer is on disk. `parent` is the tree below. */
export type LayerContent =
  | { readonly form: "overlay"; readonly folder: string }
  | { readonly form: "tree"; readonly folder: string; readonly parent?: string };

/** One kind of storage in one place. Callers hold the container's lock. */
export interface StorageDriver extends LayerKeeper {
  /** See location.ts. */
  readonly location: string;

  /** The layer's files, for copying. @throws LxcriError `layer-missing` */
  openLayer(chainId: Digest): Promise<LayerContent>;
  /** Removes a layer that no container and no other layer needs. */
  removeLayer(chainId: Digest): Promise<void>;

  /** Makes what is missing of the volume and mounts it. Idempotent. */
  mount(volume: ContainerVolume): Promise<void>;
  /** Removes the volume, which is not mounted on `rootfs`, its checkpoints, and what a kill left. Idempotent. */
  destroy(volume: ContainerVolume): Promise<void>;
  /** What of the unmounted volume is in its folder goes to another folder, where nothing of it is. Idempotent. */
  moveTo(volume: ContainerVolume, folder: string): Promise<void>;
  usage(volume: ContainerVolume): Promise<Usage>;
  /** Names of the volumes that the place holds, for `storage repair`; undefined where they are in the containers' folders. */
  volumes(): Promise<string[] | undefined>;

  /** Keeps the volume as it is now, atomically where the storage can; the container is frozen. */
  checkpoint(volume: ContainerVolume, number: number): Promise<void>;
  /** Numbers of the volume's checkpoints, ascending. */
  checkpoints(volume: ContainerVolume): Promise<number[]>;
  /** @throws LxcriError `checkpoint-in-use` where a container was made from it */
  removeCheckpoint(volume: ContainerVolume, number: number): Promise<void>;
  /**
   * Puts the unmounted volume back.
   * @param dropNewer where the storage can go back only by losing newer snapshots: lose them
   * @throws LxcriError `snapshots-newer`, `checkpoint-in-use`
   */
  rollback(volume: ContainerVolume, number: number, dropNewer: boolean): Promise<void>;
  /** Makes `to`, which is not there, from a checkpoint. */
  cloneCheckpoint(volume: ContainerVolume, number: number, to: ContainerVolume): Promise<void>;
  /** What its checkpoint streams are; only drivers of the same form take them. */
  readonly streamForm: "zfs" | "btrfs" | "tree" | "changes";
  /** The program whose standard output is the checkpoint as a stream. */
  sendCommand(volume: ContainerVolume, number: number): Promise<readonly string[]>;
  /** The program that takes such a stream, and what makes a volume of what it received. */
  receive(volume: ContainerVolume, number: number): Promise<Receiver>;
}

/** A checkpoint that arrives. */
export interface Receiver {
  readonly command: readonly string[];
  /** Folder to run it in. */
  readonly cwd?: string;
  /** It has ended well: the volume is what was sent, and has the checkpoint. */
  finish(): Promise<void>;
  /** It has not: removes what came. */
  discard(): Promise<void>;
}
