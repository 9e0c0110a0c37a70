/** SELinux: is it there, and is a label one that it could take. */
import { readFileSync } from "node:fs";
import { isMissing, LxcriError } from "../host/errors.ts";

/** What this kernel says of SELinux. */
export interface SELinuxState {
  readonly enabled: boolean;
  /** Denials are enforced, not only logged. */
  readonly enforcing: boolean;
}

/** Asks the kernel. @param sys where sysfs is */
export function probeSELinux(sys = "/sys"): SELinuxState {
  try {
    return { enabled: true, enforcing: readFileSync(`${sys}/fs/selinux/enforce`, "latin1").startsWith("1") };
  } catch (error) {
    if (isMissing(error)) return { enabled: false, enforcing: false };
    throw error;
  }
}

const NAME = "[A-Za-z0-9_.-]+";
const CATEGORIES = "c\\d+(?:[.,]c\\d+)*";
const LEVEL = `s\\d+(?::${CATEGORIES})?`;
const CONTEXT = new RegExp(`^${NAME}:${NAME}:${NAME}(?::${LEVEL}(?:-${LEVEL})?)?$`);

/** True for `user:role:type` or `user:role:type:level`, e.g. `system_u:system_r:container_t:s0:c1,c2`. */
export const isSELinuxLabel = (label: string): boolean => CONTEXT.test(label);

/**
 * Checks `process.selinuxLabel` or `linux.mountLabel`; undefined and empty ask for nothing. As runc, a label on
 * a kernel without SELinux is refused rather than forgotten.
 * @param property its JSON path, for the error
 * @throws LxcriError `selinux-label-invalid`, `selinux-not-enabled`
 */
export function selinuxLabel(
  label: string | undefined,
  property: string,
  state: SELinuxState,
): string | undefined {
  if (label === undefined || label === "") return undefined;
  const named = `${property} ${JSON.stringify(label)}`;
  if (!isSELinuxLabel(label))
    throw new LxcriError("selinux-label-invalid", `${named}: is not of the form user:role:type[:level]`);
  if (!state.enabled)
    throw new LxcriError("selinux-not-enabled", `${named}: SELinux is not enabled on this kernel`, {
      fix: "Boot with security=selinux, or leave the label out.",
    });
  return label;
}
