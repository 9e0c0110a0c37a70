/** AppArmor: is it there, and can a container be given the profile that it asks for. */
import { readFileSync } from "node:fs";
import { errnoOf, isMissing, LxcriError } from "../host/errors.ts";

/** What this kernel says of AppArmor. */
export interface AppArmorState {
  readonly enabled: boolean;
  /** Loaded profiles → mode (`enforce`, `complain` …); absent where the list cannot be read. */
  readonly profiles?: ReadonlyMap<string, string>;
}

/** The label of a process that AppArmor leaves alone. */
export const UNCONFINED = "unconfined";

/** The lines `name (mode)` of securityfs; a name may hold spaces and brackets. */
export function parseProfiles(text: string): Map<string, string> {
  const profiles = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^(.+) \(([a-z]+)\)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) profiles.set(match[1], match[2]);
  }
  return profiles;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error) || errnoOf(error) === "EACCES") return undefined;
    throw error;
  }
}

/** Asks the kernel. @param sys where sysfs is */
export function probeAppArmor(sys = "/sys"): AppArmorState {
  const enabled = readIfThere(`${sys}/module/apparmor/parameters/enabled`)?.startsWith("Y") ?? false;
  const list = enabled ? readIfThere(`${sys}/kernel/security/apparmor/profiles`) : undefined;
  return { enabled, ...(list === undefined ? {} : { profiles: parseProfiles(list) }) };
}

/** Names that are looked up elsewhere than in the list: in another policy namespace, or several stacked. */
const isCompound = (profile: string): boolean => profile.startsWith(":") || profile.includes("//&");

/**
 * The label to give to the container's program. No profile, an empty one and `unconfined` are the same and need
 * no AppArmor; any other name needs it, loaded: runc, too, refuses rather than run without confinement.
 * @throws LxcriError `apparmor-profile-invalid`, `apparmor-not-enabled`, `apparmor-profile-missing`
 */
export function apparmorLabel(profile: string | undefined, state: AppArmorState): string {
  if (profile === undefined || profile === "" || profile === UNCONFINED) return UNCONFINED;
  const named = `AppArmor profile ${JSON.stringify(profile)}`;
  // A line break would begin a new line of LXC's configuration.
  if (/\p{Cc}/u.test(profile))
    throw new LxcriError("apparmor-profile-invalid", `${named}: a name has no control characters`);
  if (!state.enabled)
    throw new LxcriError("apparmor-not-enabled", `${named}: AppArmor is not enabled on this kernel`, {
      fix: "Boot with apparmor=1 security=apparmor, or leave apparmorProfile out.",
    });
  if (state.profiles !== undefined && !isCompound(profile) && !state.profiles.has(profile))
    throw new LxcriError("apparmor-profile-missing", `${named}: is not loaded`, {
      fix: "Load it with apparmor_parser -r FILE.",
    });
  return profile;
}
