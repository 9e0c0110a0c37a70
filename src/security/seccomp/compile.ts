/**
 * The seccomp filter of a container: OCI's `linux.seccomp` → what the C program hands to seccomp(2). Everything
 * that costs time (bun:ffi, libseccomp, the kernel probes) is loaded only where the cache has no answer.
 */
import { realpathSync, statSync } from "node:fs";
import { arch, release } from "node:os";
import { isMissing, LxcriError, messageOf } from "../../host/errors.ts";
import type { Seccomp, SeccompFlag } from "../../spec/config.ts";
import { faultText } from "../../spec/faults.ts";
import type { Warning } from "../warning.ts";
import { type CachedProgram, cacheKey, readCached, writeCached } from "./cache.ts";
import { FLAG_BITS, FLAG_NEW_LISTENER, FLAG_TSYNC_ESRCH } from "./numbers.ts";

/** A filter ready to be loaded. */
export interface SeccompProgram {
  /** `struct sock_filter[]` in this machine's byte order, 8 bytes each. */
  readonly program: Uint8Array;
  /** Second argument of seccomp(SECCOMP_SET_MODE_FILTER). With bit 3 the call returns the listener. */
  readonly flags: number;
  /** Where the listener's descriptor goes; there exactly when some rule notifies. */
  readonly listener?: { readonly path: string; readonly metadata: string };
  readonly warnings: readonly Warning[];
}

/** How {@link compileSeccomp} works. */
export interface SeccompOptions {
  /** Folder of compiled programs, this user's alone; made where it is missing. Absent: nothing is kept. */
  readonly cache?: string;
}

/** To be raised when the same input would compile to something else. */
const COMPILER_VERSION = 1;

const LIBRARY_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  x64: ["/usr/lib/x86_64-linux-gnu", "/usr/lib64"],
  arm64: ["/usr/lib/aarch64-linux-gnu", "/usr/lib64"],
};

/** libseccomp's file with its version in the name (`…/libseccomp.so.2.5.4`), found without loading it. */
function findLibrary(): string {
  for (const folder of LIBRARY_FOLDERS[arch()] ?? []) {
    try {
      return realpathSync(`${folder}/libseccomp.so.2`);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  throw new LxcriError(
    "seccomp-library-missing",
    "libseccomp.so.2: not found, cannot make a seccomp filter",
    {
      fix: "apt-get install libseccomp2",
    },
  );
}

/**
 * All that decides the program, unambiguously: arrays in JSON, 64-bit integers as decimal text. Laid out by hand,
 * as a replacer function costs more than the rest of a cache hit.
 */
function compilationInput(profile: Seccomp, library: string): string {
  const { size, mtimeMs } = statSync(library);
  const rules = (profile.syscalls ?? []).map(({ names, action, errnoRet, args = [] }) => [
    names,
    action,
    errnoRet,
    args.map(({ index, op, value, valueTwo }) => [index, op, String(value), String(valueTwo ?? 0)]),
  ]);
  return JSON.stringify([
    [COMPILER_VERSION, library, size, mtimeMs, arch(), release()],
    [profile.defaultAction, profile.defaultErrnoRet, profile.architectures, profile.flags],
    rules,
  ]);
}

async function build(profile: Seccomp, library: string): Promise<CachedProgram> {
  const [{ probeSeccomp, seccompFaults }, { buildProgram }] = await Promise.all([
    import("./probe.ts"),
    import("./build.ts"),
  ]);
  const faults = seccompFaults(profile, probeSeccomp());
  if (faults.length > 0) throw new LxcriError("seccomp-unsupported", faults.map(faultText).join("; "));
  return buildProgram(profile, library);
}

/** A full disk must not keep a container from starting: the program is at hand. */
function keep(folder: string, key: string, compiled: CachedProgram): Warning[] {
  try {
    writeCached(folder, key, compiled);
    return [];
  } catch (error) {
    return [{ code: "seccomp-cache-unwritable", message: `${folder}: ${messageOf(error)}` }];
  }
}

const WAIT_KILLABLE: SeccompFlag = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";

/** The flags of seccomp(2), completed so that the kernel takes the combination. */
function flagBits(profile: Seccomp, notifies: boolean): { flags: number; warnings: Warning[] } {
  let flags = 0;
  for (const flag of profile.flags ?? []) flags |= FLAG_BITS[flag];
  if (notifies) {
    flags |= FLAG_NEW_LISTENER;
    if (flags & FLAG_BITS.SECCOMP_FILTER_FLAG_TSYNC) flags |= FLAG_TSYNC_ESRCH;
  } else if (flags & FLAG_BITS[WAIT_KILLABLE]) {
    flags &= ~FLAG_BITS[WAIT_KILLABLE];
    const message = `seccomp: ${WAIT_KILLABLE} ignored: no rule notifies, so nothing waits`;
    return { flags, warnings: [{ code: "seccomp-flag-ignored", message }] };
  }
  return { flags, warnings: [] };
}

/**
 * Compiles a profile that `parseConfig` has checked. Unknown system calls are ignored with a warning, as runc
 * does; calls newer than the newest that the profile names give ENOSYS (see prelude.ts).
 * @throws LxcriError `seccomp-unsupported` (naming each property that this kernel cannot do),
 *   `seccomp-library-missing`, `seccomp-library-unusable`, `seccomp-architecture`, `seccomp-filter`,
 *   `seccomp-too-long`, `seccomp-cache-unsafe`
 */
export async function compileSeccomp(
  profile: Seccomp,
  options: SeccompOptions = {},
): Promise<SeccompProgram> {
  const notifies = profile.syscalls?.some((rule) => rule.action === "SCMP_ACT_NOTIFY") ?? false;
  const { flags, warnings } = flagBits(profile, notifies);
  const library = findLibrary();
  const key = options.cache === undefined ? "" : cacheKey(compilationInput(profile, library));
  let compiled = options.cache === undefined ? undefined : readCached(options.cache, key);
  if (compiled === undefined) {
    compiled = await build(profile, library);
    if (options.cache !== undefined) warnings.push(...keep(options.cache, key, compiled));
  }
  return {
    program: compiled.value,
    flags,
    ...(notifies && profile.listenerPath !== undefined
      ? { listener: { path: profile.listenerPath, metadata: profile.listenerMetadata ?? "" } }
      : {}),
    warnings: [...compiled.warnings, ...warnings],
  };
}
