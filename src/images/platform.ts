/** Platforms: which of an image's variants runs on this machine. Pure but for `hostPlatform`. */
import { LxcriError } from "../host/errors.ts";

/** As in an OCI image index. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** Names of Go for what Node calls differently. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** The machine this program runs on. */
export const hostPlatform = (): Platform => ({
  os: "linux",
  architecture: GO_ARCHITECTURES[process.arch] ?? process.arch,
});

/** Parses `linux/arm64` or `linux/arm/v7`. @throws LxcriError `platform-invalid` */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9]+)(?:\/([a-z0-9]+))?$/.exec(text);
  if (match === null)
    throw new LxcriError("platform-invalid", `${JSON.stringify(text)}: is not OS/ARCH[/VARIANT]`);
  const [, os = "", architecture = "", variant] = match;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

export const formatPlatform = (platform: Platform): string =>
  [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join("/");

/** Variants that an architecture has when none is said. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { amd64: "v1", arm64: "v8", arm: "v7" };

const variantOf = (platform: Platform): string =>
  platform.variant ?? DEFAULT_VARIANT[platform.architecture] ?? "";

/**
 * How well `offered` suits `wanted`: higher is better, 0 is not at all. A machine also runs the variants below its
 * own (arm v6 on v7; amd64 v1 on v3).
 */
export function suitability(offered: Platform, wanted: Platform): number {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return 0;
  const has = variantOf(wanted);
  const needs = variantOf(offered);
  if (has === needs) return 1000;
  const [hasLevel, needsLevel] = [has, needs].map((text) => Number(/^v(\d+)$/.exec(text)?.[1] ?? Number.NaN));
  if (hasLevel === undefined || needsLevel === undefined || !(needsLevel < hasLevel)) return 0;
  return needsLevel;
}
