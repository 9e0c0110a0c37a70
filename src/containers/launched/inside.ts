/** Looking into a running container's root, never following a link out of it. */
import { existsSync } from "node:fs";
import { close, O_PATH, openBeneath, openDirectory } from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";
import { notRunning } from "../errors.ts";
import { statusOf } from "../status.ts";
import type { ContainerStore } from "../store.ts";
import { type ResolvedUser, readUserFiles, resolveUser } from "./users.ts";

/** The container's root as this process may open it. @throws ContainerError `container-not-found`, `container-not-running` */
export function runningRoot(store: ContainerStore, id: string): string {
  const record = store.load(id);
  const status = statusOf(store, record);
  if (record.init === undefined || status === "stopped" || status === "creating")
    throw notRunning(id, status);
  return `/proc/${record.init.pid}/root`;
}

const SHELLS = ["/bin/bash", "/usr/bin/bash"];

/** The shell to offer a person. */
export function shellOf(store: ContainerStore, id: string): string {
  const root = openDirectory(runningRoot(store, id));
  try {
    return SHELLS.find((path) => isFile(root, path)) ?? "/bin/sh";
  } finally {
    close(root);
  }
}

function isFile(root: number, path: string): boolean {
  try {
    const fd = openBeneath(root, path, O_PATH);
    const there = existsSync(`/proc/self/fd/${fd}`);
    close(fd);
    return there;
  } catch (error) {
    if (errnoOf(error) === "EACCES" || errnoOf(error) === "EPERM") throw error;
    return false;
  }
}

/** A user of a running container, by name or number. @throws LxcriError `user-unknown`, `group-unknown` */
export const userInside = (store: ContainerStore, id: string, text: string): ResolvedUser =>
  resolveUser(text, readUserFiles(runningRoot(store, id)));
