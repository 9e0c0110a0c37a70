/**
 * What `start` and a plain `delete` will do, written when the container is created: the launcher can have it done
 * (native/shortcut.c) without this engine, whose start alone costs as much as runc's whole command.
 */
import { readFileSync } from "node:fs";
import { writeFileAtomic } from "../host/files.ts";
import { addHooks, stateTail } from "../lxc/hook-plan.ts";
import { Plan } from "../lxc/plan.ts";
import type { Config } from "../spec/config.ts";
import { freezerFile } from "./leaf.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerStore } from "./store.ts";

const startPlanPath = (store: ContainerStore, id: string): string => `${store.directory(id)}/start.plan`;

const begin = (store: ContainerStore, { id, init }: ContainerRecord): Plan =>
  new Plan()
    .add("id", id)
    .add("pid", init?.pid)
    .add("start-time", init?.startTime)
    .add("lock", store.lockPath(id))
    .add("events", store.eventsPath);

/** Writes the plans for a container whose init is there. */
export function writeShortcuts(store: ContainerStore, record: ContainerRecord, config: Config): void {
  const { id, bundle } = record;
  const start = begin(store, record)
    .add("freezer", freezerFile(record))
    .add("start-fifo", store.startFifoPath(id))
    .add("result-fifo", store.resultFifoPath(id))
    .add("hooks-folder", store.hooksPath(id))
    .add("state", stateTail(record));
  addHooks(start, "poststart", config.hooks?.poststart, bundle);
  writeFileAtomic(startPlanPath(store, id), start.bytes());
  if (!isPlain(record, config)) return;
  const remove = begin(store, record)
    .add("folder", store.directory(id))
    .addAll("leaf", Object.values(record.cgroup?.leaves ?? {}));
  writeFileAtomic(`${store.directory(id)}/delete.plan`, remove.bytes());
}

/** Whether all that `delete` has to remove is the container's groups and its folder. */
const isPlain = (record: ContainerRecord, { hooks, linux }: Config): boolean =>
  record.cgroup?.scope === undefined &&
  (hooks?.poststop?.length ?? 0) === 0 &&
  linux?.intelRdt === undefined &&
  linux?.netDevices === undefined;

/** The plan of `native start` as it was written. */
export const readStartPlan = (store: ContainerStore, id: string): Uint8Array =>
  readFileSync(startPlanPath(store, id));
