/**
 * Storage that can make a writable copy of a whole volume: ZFS datasets, btrfs subvolumes, plain folders. Names have
 * two parts, `layers/<x>`, `shifted/<x>`, `containers/<x>`. Callers see to it that nobody else works on a volume.
 */
import type { Receiver, StorageDriver, Usage } from "../driver.ts";

export interface CloneBackend {
  readonly streamForm: StorageDriver["streamForm"];

  /** Makes what all volumes need. @throws LxcriError naming what is missing */
  open(): Promise<void>;
  exists(name: string): Promise<boolean>;
  /** Makes an empty volume. */
  create(name: string): Promise<void>;
  /** Makes `to` from a sealed volume; all or nothing. */
  clone(from: string, to: string): Promise<void>;
  /** The volume changes no more, and can be cloned. */
  seal(name: string): Promise<void>;
  /** The volume's folder; mounted where need be. */
  folderOf(name: string): Promise<string>;
  /** Removes the volume with its snapshots; nothing happens where there is none. */
  destroy(name: string): Promise<void>;
  /** What it takes beyond what it was cloned from. */
  usage(name: string): Promise<Usage>;
  /** Second parts of the names of the volumes of a kind. */
  list(kind: string): Promise<string[]>;

  snapshot(name: string, number: number): Promise<void>;
  /** Numbers, ascending. */
  snapshots(name: string): Promise<number[]>;
  removeSnapshot(name: string, number: number): Promise<void>;
  rollback(name: string, number: number, dropNewer: boolean): Promise<void>;
  /** Makes `to` from a snapshot; all or nothing. */
  cloneSnapshot(name: string, number: number, to: string): Promise<void>;
  sendCommand(name: string, number: number): readonly string[];
  receive(name: string, number: number): Promise<Receiver>;
}
