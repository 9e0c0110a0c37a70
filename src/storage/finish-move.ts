/** The end of a migration, which whatever uses the container next takes up where a kill left it. */
import { join } from "node:path";
import { unmountAll } from "../host/mount-point.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { StorageDriver } from "./driver.ts";
import { type MovedVolume, type SnapshotRecord, type SnapshotRecords, volumeOf } from "./snapshot-records.ts";

/** What is needed of the storage. */
export interface Places {
  readonly records: SnapshotRecords;
  driver(location: string): StorageDriver;
}

/** The last steps of a move whose copy has been verified. Can be repeated. The caller holds the container's lock. */
export async function finishMove(
  storage: Places,
  id: ContainerId,
  record: SnapshotRecord,
  moved: MovedVolume,
): Promise<SnapshotRecord> {
  const { records } = storage;
  const folder = records.folderOf(id);
  unmountAll(join(folder, "rootfs"));
  if (!moved.sourceGone) {
    await storage.driver(record.location).destroy(volumeOf(folder, record));
    records.write(id, { ...record, moved: { ...moved, sourceGone: true } });
  }
  const { location, volume, draft } = moved;
  const { layers, idMaps } = record;
  const next: SnapshotRecord = { location, volume, layers, ...(idMaps === undefined ? {} : { idMaps }) };
  const draftFolder = records.folderOf(draft);
  unmountAll(join(draftFolder, "rootfs"));
  await storage.driver(location).moveTo(volumeOf(draftFolder, next), folder);
  records.write(id, next);
  records.forget(draft);
  return next;
}
