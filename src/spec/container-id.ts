/** Container ids: the one place that decides which strings may become path segments and cgroup names. */
import { LxcriError } from "../host/errors.ts";

/** An id that is safe as one path segment. */
export type ContainerId = string & { readonly [brand]: "ContainerId" };
declare const brand: unique symbol;

/** NAME_MAX: the id names a directory. */
const MAX_LENGTH = 255;

/**
 * Checks an id as runc does: letters, digits, `_`, `+`, `-`, `.`, not `.` or `..`; at most 255 characters.
 * Throws LxcriError `invalid-container-id`, whose message begins with runc's text.
 */
export function parseContainerId(id: string): ContainerId {
  if (id === "") throw new LxcriError("invalid-container-id", "container id cannot be empty");
  if (id.length > MAX_LENGTH) {
    throw new LxcriError(
      "invalid-container-id",
      `invalid container ID format: ${id.length} characters, at most ${MAX_LENGTH} are allowed`,
    );
  }
  if (!isContainerId(id)) {
    throw new LxcriError("invalid-container-id", `invalid container ID format: ${JSON.stringify(id)}`, {
      fix: "Use letters, digits, _, +, - and . only.",
    });
  }
  return id;
}

function isContainerId(id: string): id is ContainerId {
  return /^[\w+.-]+$/.test(id) && id !== "." && id !== "..";
}
