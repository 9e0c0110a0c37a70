/** Removes whatever stands at a name, by descriptor: no link is followed, nothing outside is touched. */
import { constants, readdirSync } from "node:fs";
import { close, openAt, rmdirAt, unlinkAt } from "./at.ts";
import { bytesToText } from "./byte-text.ts";
import { errnoOf } from "./errors.ts";

/** Removes `name` of the folder `dir` with all in it; nothing happens where it is missing. */
export function removeTree(dir: number, name: string): void {
  try {
    unlinkAt(dir, name);
    return;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return;
    if (errno !== "EISDIR") throw error;
  }
  const fd = openAt(dir, name, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const child of readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" })) {
      removeTree(fd, bytesToText(child));
    }
  } finally {
    close(fd);
  }
  rmdirAt(dir, name);
}
