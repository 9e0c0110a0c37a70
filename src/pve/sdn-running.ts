/** `/etc/pve/sdn/.running-config`: the network as applied last, and how the files differ from it. Pure. */
import { LxcriError, messageOf } from "../host/errors.ts";
import type { SdnFiles } from "./sdn-rules.ts";
import { SDN_FILES, type SdnFile } from "./sdn-schema.ts";
import type { Section, SectionConfig, SectionValue } from "./section-config.ts";

/** The network as applied last. */
export interface RunningSdn {
  /** Counts the times it was applied. */
  readonly version: number;
  readonly files: SdnFiles;
}

/** How a section of a file differs from the network as applied. */
export interface SdnChange {
  readonly file: SdnFile;
  readonly section: string;
  readonly state: "changed" | "deleted" | "new";
  /** Keys whose values differ; all keys of a new section. */
  readonly keys: readonly string[];
}

const FILES = Object.keys(SDN_FILES).filter((name): name is SdnFile => Object.hasOwn(SDN_FILES, name));

/**
 * Reads the applied network. An empty text is one that was never applied.
 *
 * @throws {@link LxcriError} `pve-sdn-running-invalid` where the text is not what Proxmox writes
 */
export function parseRunningSdn(text: string): RunningSdn {
  if (text.trim() === "") return { version: 0, files: {} };
  try {
    const document = asObject(JSON.parse(text));
    const version = Number(document.version ?? 0);
    if (!Number.isSafeInteger(version) || version < 0)
      throw new Error(`version is ${String(document.version)}`);
    const files = FILES.filter((file) => document[file] !== undefined).map((file) => [
      file,
      readFile(document[file]),
    ]);
    return { version, files: Object.fromEntries(files) };
  } catch (reason) {
    throw new LxcriError(
      "pve-sdn-running-invalid",
      `cannot read the applied network configuration: ${messageOf(reason)}`,
      { cause: reason },
    );
  }
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("an object is missing");
  return value as Record<string, unknown>;
}

function readFile(value: unknown): SectionConfig {
  const sections = new Map<string, Section | undefined>();
  for (const [id, given] of Object.entries(asObject(asObject(value).ids ?? {}))) {
    const { type, ...properties } = asObject(given);
    if (typeof type !== "string") throw new Error(`section '${id}' has no type`);
    const entries = Object.entries(properties).map(([key, each]): [string, SectionValue] => [
      key,
      readValue(each),
    ]);
    sections.set(id, { type, properties: new Map(entries) });
  }
  return { digest: "", sections };
}

/** Lists stay lists; a set of names is an object with the names for keys. */
function readValue(value: unknown): SectionValue {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === "object" && value !== null) return Object.keys(value).sort();
  return typeof value === "boolean" ? (value ? "1" : "0") : String(value);
}

/** Writes the applied network: keys in order, numbers as numbers, as Proxmox reads it. */
export function writeRunningSdn({ version, files }: RunningSdn): string {
  const document: Record<string, unknown> = { version };
  for (const file of FILES) {
    const ids: Record<string, unknown> = {};
    for (const [id, section] of [...(files[file]?.sections ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (section !== undefined) ids[id] = { type: section.type, ...writeValues(file, section) };
    }
    document[file] = { ids };
  }
  return `${JSON.stringify(document)}\n`;
}

function writeValues(file: SdnFile, { properties }: Section): Record<string, unknown> {
  const { properties: schemas, sets } = SDN_FILES[file];
  return Object.fromEntries(
    [...properties.keys()].sort().map((key): [string, unknown] => {
      const value = properties.get(key) ?? "";
      if (sets?.includes(key)) return [key, Object.fromEntries([value].flat().map((name) => [name, 1]))];
      const type = schemas[key]?.type;
      return [key, type === "boolean" || type === "integer" ? Number(value) : value];
    }),
  );
}

/** What applying the files would change, by file and section. */
export function pendingSdn(files: SdnFiles, running: RunningSdn): SdnChange[] {
  return FILES.flatMap((file) => {
    const [next, applied] = [files[file]?.sections ?? new Map(), running.files[file]?.sections ?? new Map()];
    return [...new Set([...next.keys(), ...applied.keys()])].sort().flatMap((section): SdnChange[] => {
      const [to, from]: (Section | undefined)[] = [next.get(section), applied.get(section)];
      if (to === undefined) return from === undefined ? [] : [{ file, section, state: "deleted", keys: [] }];
      const keys = differingKeys(from, to);
      if (from === undefined) return [{ file, section, state: "new", keys }];
      return keys.length === 0 ? [] : [{ file, section, state: "changed", keys }];
    });
  });
}

function differingKeys(from: Section | undefined, to: Section): string[] {
  const keys = new Set([...to.properties.keys(), ...(from?.properties.keys() ?? [])]);
  const differing = [...keys].filter((key) => !isSame(from?.properties.get(key), to.properties.get(key)));
  if (from !== undefined && from.type !== to.type) differing.push("type");
  return differing.sort();
}

const isSame = (a: SectionValue | undefined, b: SectionValue | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b);
