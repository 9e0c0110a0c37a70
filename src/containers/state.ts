/** What `state` and `list` say of containers, and what hooks get on standard input. */
import { messageOf } from "../host/errors.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { State, Status } from "../spec/state.ts";
import type { Logger } from "../telemetry/log.ts";
import { ContainerError, isNotFound } from "./errors.ts";
import type { ContainerRecord } from "./record.ts";
import { statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

/** The OCI state, with what runc adds. */
export interface ContainerState extends State {
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly owner: string;
}

/** The state of a record with a status: runtime-spec runtime.md, "State". */
export function describe(record: ContainerRecord, status: Status): ContainerState {
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    status,
    ...(status === "stopped" || record.init === undefined ? {} : { pid: record.init.pid }),
    bundle: record.bundle,
    annotations: record.annotations,
    rootfs: record.rootfs,
    created: record.created,
    owner: record.owner,
  };
}

/** The state of one container now. @throws ContainerError `container-not-found`, `container-damaged` */
export function stateOf(store: ContainerStore, id: string): ContainerState {
  const record = store.load(id);
  return describe(record, statusOf(store, record));
}

/** The states of all containers; one with a damaged record is shown as stopped, and a warning says why. */
export function listStates(store: ContainerStore, log: Logger): ContainerState[] {
  const states: ContainerState[] = [];
  for (const id of store.list()) {
    try {
      states.push(stateOf(store, id));
    } catch (error) {
      // Deleted while we looked.
      if (isNotFound(error)) continue;
      if (!(error instanceof ContainerError)) throw error;
      log.warning(messageOf(error));
      states.push({ ...unknownState, id: parseContainerId(id) });
    }
  }
  return states;
}

const unknownState = {
  ociVersion: "",
  status: "stopped",
  bundle: "",
  annotations: {},
  rootfs: "",
  // Go's zero time: an empty text would make go-runc refuse the whole list.
  created: "0001-01-01T00:00:00Z",
  owner: "",
} as const;
