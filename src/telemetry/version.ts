/** Which build this is. */

declare const BUILD_VERSION: string | undefined;
declare const BUILD_COMMIT: string | undefined;

/** The program's name in every text. */
export const programName = "proxmox-lxcri";

/** The version in package.json; `0.0.0` when run from source. */
export const releaseVersion = typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0";
/** The git commit built; `unknown` when run from source. */
export const buildCommit = typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "unknown";
