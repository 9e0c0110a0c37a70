/** The door: text from outside becomes a checked {@link Config}, {@link Process} or {@link Resources}. */
import type { Config, Process, Resources, Root } from "./config.ts";
import { type Fault, Findings, quote, SpecError } from "./faults.ts";
import { parseJson } from "./json.ts";
import { checkRules } from "./rules.ts";
import { boolean, line, nonEmpty, text } from "./scalars.ts";
import { map, object, orEmpty, type Shape } from "./shape.ts";
import { hooks } from "./shapes/hooks.ts";
import { linux } from "./shapes/linux.ts";
import { mounts } from "./shapes/mounts.ts";
import { process } from "./shapes/process.ts";
import { resources } from "./shapes/resources.ts";

export { type Fault, faultText, SpecError } from "./faults.ts";

/** semver.org, 2.0.0: the three numbers, then pre-release and build. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/;

/** Minor version of the spec that this program follows. */
const MINOR = 3;

/** config.md, Specification version: all of major version 1. */
const ociVersion: Shape<string> = (value, path, findings) => {
  const version = nonEmpty(value, path, findings);
  if (version === undefined) return undefined;
  const [, major, minor] = SEMVER.exec(version) ?? [];
  if (major === undefined) return findings.fault(path, `${quote(version)} is no version such as 1.3.0`);
  if (major !== "1") return findings.fault(path, `${quote(version)} is not supported, only versions 1.x are`);
  if (Number(minor) > MINOR) {
    findings.warn(path, `${quote(version)} is newer than 1.${MINOR}: its new properties are not known here`);
  }
  return version;
};

/** __NEW_UTS_LEN of the kernel. */
const MAX_HOST_NAME = 64;

const hostName: Shape<string> = (value, path, findings) => {
  const name = line(value, path, findings);
  // A UTF-16 unit is at most three bytes of UTF-8; loading Buffer takes 0.1 ms of start-up time.
  if (name === undefined || name.length * 3 <= MAX_HOST_NAME) return name;
  if (Buffer.byteLength(name) <= MAX_HOST_NAME) return name;
  return findings.fault(
    path,
    `is ${Buffer.byteLength(name)} bytes long, at most ${MAX_HOST_NAME} are allowed`,
  );
};

const annotations = map(text, (key, path, findings) => {
  if (key === "") findings.fault(path, "a key must not be empty");
});

const OTHER_PLATFORM = "it is for another platform than Linux";

/** All of it required only after the rules have run, so that these see the right parts of a wrong document. */
const config = object<Partial<Config>>({
  required: {},
  optional: {
    ociVersion,
    process,
    root: object<Root>({ required: { path: nonEmpty }, optional: { readonly: boolean } }),
    hostname: orEmpty(hostName),
    domainname: orEmpty(hostName),
    mounts,
    hooks,
    annotations,
    linux,
  },
  open: true,
  ignored: {
    windows: OTHER_PLATFORM,
    solaris: OTHER_PLATFORM,
    vm: OTHER_PLATFORM,
    zos: OTHER_PLATFORM,
    freebsd: OTHER_PLATFORM,
  },
});

/** A checked configuration, and what was ignored or is odd in it. */
export interface ParsedConfig {
  readonly config: Config;
  readonly warnings: readonly Fault[];
}

/**
 * Parses and checks config.json as a whole, for a container that is to be created on Linux. Throws SpecError
 * (`invalid-config`) that lists all faults with their paths.
 *
 * Stricter than the spec in one point: an unknown property within a standard object is refused, where the spec
 * (config.md, Extensibility) would ignore it, because a container must not run with a mistyped limit.
 */
export function parseConfig(text: string): ParsedConfig {
  const document = "config.json";
  const findings = new Findings(text);
  const found = config(parseJson(text, document), "", findings);
  if (found !== undefined) {
    const { ociVersion, process, root } = found;
    for (const [name, value] of Object.entries({ ociVersion, process, root })) {
      if (value === undefined && !findings.touches(name)) findings.fault(name, "is required");
    }
    checkRules(found, findings);
    if (findings.faults.length === 0 && ociVersion !== undefined && process && root) {
      return { config: { ...found, ociVersion, process, root }, warnings: findings.warnings };
    }
  }
  throw new SpecError(document, findings.faults);
}

/** A checked document of `exec --process`. */
export interface ParsedProcess {
  readonly process: Process;
  readonly warnings: readonly Fault[];
}

/** Parses and checks the process of `exec --process`. Throws SpecError. */
export function parseProcess(text: string): ParsedProcess {
  const { value, warnings } = parsePart(text, "process", process);
  return { process: value, warnings };
}

/** A checked document of `update --resources`. */
export interface ParsedResources {
  readonly resources: Resources;
  readonly warnings: readonly Fault[];
}

/** Parses and checks the resources of `update --resources`. Throws SpecError. */
export function parseResources(text: string): ParsedResources {
  const { value, warnings } = parsePart(text, "resources", resources);
  return { resources: value, warnings };
}

function parsePart<T>(
  text: string,
  document: string,
  shape: Shape<T>,
): { readonly value: T; readonly warnings: readonly Fault[] } {
  const findings = new Findings(text);
  const value = shape(parseJson(text, document), "", findings);
  if (value === undefined || findings.faults.length > 0) throw new SpecError(document, findings.faults);
  return { value, warnings: findings.warnings };
}
