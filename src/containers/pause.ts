/** Pause and resume: the freezer of the container's cgroup. */
import { ContainerError, wrongStatus } from "./errors.ts";
import { freezerOf, type LeafFreezer } from "./leaf.ts";
import type { ContainerRecord } from "./record.ts";
import { statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

/** Freezes all processes of a running or created container. @throws ContainerError `wrong-status`, `no-cgroup` */
export async function pauseContainer(store: ContainerStore, id: string): Promise<void> {
  // Before the lock: asking for what is not there must leave no lock file.
  store.load(id);
  using _lock = await store.lock(id);
  const record = store.load(id);
  const status = statusOf(store, record);
  if (status !== "running" && status !== "created") throw wrongStatus(id, "pause", status);
  await freezer(record).freeze();
}

/** Lets a paused container go on. @throws ContainerError `wrong-status`, `no-cgroup` */
export async function resumeContainer(store: ContainerStore, id: string): Promise<void> {
  // Before the lock: asking for what is not there must leave no lock file.
  store.load(id);
  using _lock = await store.lock(id);
  const record = store.load(id);
  const status = statusOf(store, record);
  if (status !== "paused") throw wrongStatus(id, "resume", `${status}: container not paused`);
  await freezer(record).thaw();
}

function freezer(record: ContainerRecord): LeafFreezer {
  const found = freezerOf(record);
  if (found !== undefined) return found;
  throw new ContainerError(
    "no-cgroup",
    `container ${JSON.stringify(record.id)} has no cgroup with a freezer: it cannot be paused`,
  );
}
