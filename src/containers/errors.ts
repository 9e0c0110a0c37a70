/** The errors of the container lifecycle, with the texts that containerd, CRI-O and podman match. */
import { LxcriError } from "../host/errors.ts";

/** A failed lifecycle operation. */
export class ContainerError extends LxcriError {}

/** containerd and CRI-O look for "does not exist". */
export const notFound = (id: string): ContainerError =>
  new ContainerError("container-not-found", `container ${JSON.stringify(id)} does not exist`);

/** runc's text for a duplicate id. */
export const alreadyExists = (id: string): ContainerError =>
  new ContainerError("container-exists", `container with given ID already exists: ${JSON.stringify(id)}`, {
    fix: "Choose another id, or delete the container first.",
  });

/** A record that is not there or cannot be read, in a folder that is. */
export const damaged = (id: string, why: string, cause?: unknown): ContainerError =>
  new ContainerError("container-damaged", `container ${JSON.stringify(id)}: state.json ${why}`, {
    cause,
    fix: `Remove what is left with: proxmox-lxcri delete --force ${id}`,
  });

/** containerd and CRI-O look for "container not running". */
export const notRunning = (id: string, status: string): ContainerError =>
  new ContainerError("container-not-running", `container not running: ${JSON.stringify(id)} is ${status}`);

/** An operation that the status does not allow. */
export const wrongStatus = (id: string, operation: string, status: string): ContainerError =>
  new ContainerError(
    "wrong-status",
    `cannot ${operation} container ${JSON.stringify(id)}: its status is ${status}`,
  );

/** True for {@link notFound}. */
export const isNotFound = (error: unknown): boolean =>
  error instanceof ContainerError && error.code === "container-not-found";
