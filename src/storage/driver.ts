/**
 * Storage: where layers and containers' root file systems are kept. One interface, several drivers. May call spec
 * and host. A driver's state is on disk only; every operation can be killed at any moment and be repeated.
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
  /** Whether whiteouts are to be written as overlayfs has them. */
  readonly overlayWhiteouts: boolean;
  /** Folders of the layers below, topmost first; they must be complete. */
  lowers(): string[];
  /** Puts the layer in its place. `size`: bytes of its archive. */
  commit(size: number): void;
  /** Removes what was written; harmless after `commit`. */
  discard(): Promise<void>;
}

/** A container's file system as the driver knows it. */
export interface Snapshot {
  readonly id: ContainerId;
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

/** Keeps layers, by chain id, and containers' file systems made of them. */
export interface SnapshotDriver {
  readonly name: string;
  /** Layers can be unpacked side by side, before those below are there. */
  readonly independentLayers: boolean;

  hasLayer(chainId: Digest): boolean;
  /**
   * Begins to write the last layer of the chain; undefined where it is there already. Waits while another process
   * writes it.
   * @param chain chain ids of the layer and those below, lowest first
   */
  beginLayer(chain: readonly Digest[], signal?: AbortSignal): Promise<LayerDraft | undefined>;

  /**
   * Makes and mounts the container's file system over the layers. The same call again finds it there.
   * @throws LxcriError `layer-missing`, `snapshot-exists` where the id has other layers or maps
   */
  prepare(id: ContainerId, layers: readonly Digest[], idMaps?: IdMaps): Promise<Snapshot>;
  /** Mounts it again, after a reboot for example. @throws LxcriError `snapshot-not-found` */
  remount(id: ContainerId): Promise<Snapshot>;
  /** Unmounts and removes it; nothing happens where there is none. */
  remove(id: ContainerId): Promise<void>;
  /** What the container itself wrote. @throws LxcriError `snapshot-not-found` */
  usage(id: ContainerId): Promise<Usage>;
  list(): Snapshot[];
}
