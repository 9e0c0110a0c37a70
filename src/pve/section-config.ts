/** Proxmox's section files (`type: id`, then indented `key value` lines): read, checked and written by schema. */
import { LxcriError } from "../host/errors.ts";
import { isConfigId } from "./identifier-formats.ts";
import { isBlank, isTrue, normalizeNumber, splitList, trimEnd, trimStart } from "./perl-values.ts";
import { textFault } from "./property-string.ts";
import type { Schemas, ValueSchema } from "./value-schema.ts";

/** What sections of a file may hold. */
export interface SectionFileSchema {
  /** Every property that any type has. */
  readonly properties: Schemas;
  /** The properties of each type: true where required. */
  readonly types: Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  /** Properties whose value is a set of names between commas. */
  readonly sets?: readonly string[];
}

/** A property's value: text, or texts where the property may be given several times or is a set of names. */
export type SectionValue = string | readonly string[];

/** One section that has all its required properties. */
export interface Section {
  readonly type: string;
  readonly properties: ReadonlyMap<string, SectionValue>;
}

/** A whole file, sections in its order; undefined stands for a section that lacks a required property. */
export interface SectionConfig {
  /** SHA-1 of the text that was read, in hexadecimal. */
  readonly digest: string;
  readonly sections: Map<string, Section | undefined>;
}

/** A value that is not valid and was left out. */
export interface SectionError {
  readonly section: string;
  readonly key: string;
  readonly message: string;
}

/** What was read, and what was wrong. Every error has its warning too. */
export interface ParsedSections {
  readonly config: SectionConfig;
  /** The number of each section in the file, from 1; a section given again has that of its last place. */
  readonly order: ReadonlyMap<string, number>;
  readonly errors: readonly SectionError[];
  readonly warnings: readonly string[];
}

/** Reads a section file. Nothing is fatal: what is not valid is left out and warned about. */
export function parseSections(schema: SectionFileSchema, text: string): ParsedSections {
  const reader = new SectionFileReader(schema);
  for (const line of text.split("\n")) if (!trimStart(line).startsWith("#")) reader.readLine(line);
  reader.endSection();
  const digest = Bun.SHA1.hash(text, "hex");
  const { sections, order, errors, warnings } = reader;
  return { config: { digest, sections }, order, errors, warnings };
}

interface OpenSection {
  readonly id: string;
  readonly type: string;
  /** A section of an unknown type is passed over. */
  readonly skipped: boolean;
  readonly properties: Map<string, SectionValue>;
}

class SectionFileReader {
  readonly sections = new Map<string, Section | undefined>();
  readonly order = new Map<string, number>();
  readonly errors: SectionError[] = [];
  readonly warnings: string[] = [];
  private count = 0;
  private open: OpenSection | undefined;

  constructor(private readonly schema: SectionFileSchema) {}

  readLine(line: string): void {
    if (line === "" || line === "0") this.endSection();
    else if (this.open === undefined) this.readHeader(line);
    else if (!this.open.skipped) this.readProperty(this.open, line);
  }

  endSection(): void {
    const section = this.open;
    this.open = undefined;
    if (section === undefined || section.skipped) return;
    const missing = Object.entries(this.schema.types[section.type] ?? {}).find(
      ([key, isRequired]) => isRequired && !section.properties.has(key),
    );
    // A section given again takes the later place.
    this.sections.delete(section.id);
    this.order.set(section.id, ++this.count);
    this.sections.set(section.id, missing === undefined ? section : undefined);
    if (missing !== undefined)
      this.warnings.push(`section '${section.id}' is left out: it lacks '${missing[0]}'`);
  }

  private readHeader(line: string): void {
    const header = splitHeader(line);
    if (header === undefined) {
      this.warnings.push(`line '${line.slice(0, 200)}' is ignored: it is no section header`);
      return;
    }
    const type = header.type.toLowerCase();
    const skipped = !isConfigId(type) || !Object.hasOwn(this.schema.types, type);
    if (skipped) this.warnings.push(`section '${header.id}' is left out: its type '${type}' is not known`);
    this.open = { id: header.id, type, skipped, properties: new Map() };
  }

  private readProperty(section: OpenSection, line: string): void {
    const trimmed = trimEnd(trimStart(line));
    if (trimmed === "" || trimmed.length === trimEnd(line).length) {
      this.warnings.push(
        `line '${line.slice(0, 200)}' of section '${section.id}' is ignored: it is no property`,
      );
      return;
    }
    const gap = /[\t-\r ]/.exec(trimmed)?.index ?? trimmed.length;
    const key = trimmed.slice(0, gap);
    const value = gap === trimmed.length ? undefined : trimStart(trimmed.slice(gap));
    const fault = this.setProperty(section, key, value);
    if (fault === undefined) return;
    this.errors.push({ section: section.id, key, message: fault });
    this.warnings.push(`value of '${key}' in section '${section.id}' is left out: ${fault}`);
  }

  /** Adds a property to its section, or says why it cannot be. */
  private setProperty(section: OpenSection, key: string, given: string | undefined): string | undefined {
    const isKnown = Object.hasOwn(this.schema.types[section.type] ?? {}, key);
    const schema = isKnown ? this.schema.properties[key] : undefined;
    const before = section.properties.get(key);
    if (before !== undefined && schema?.type !== "array") return "it is given twice";
    if (key === "type" && given === section.type) return undefined;
    if (schema === undefined) return "it is not a property of this type";
    const value = given ?? (schema.type === "boolean" ? "1" : undefined);
    if (value === undefined) return "it has no value";
    const fault = /[\n\r]/.test(value) ? "it holds a line feed" : textFault(itemSchema(schema), value);
    if (fault !== undefined) return fault;
    section.properties.set(key, this.decode(schema, key, value, before));
    return undefined;
  }

  private decode(
    schema: ValueSchema,
    key: string,
    value: string,
    before: SectionValue | undefined,
  ): SectionValue {
    if (schema.type === "array") return [...(before ?? []), value];
    if (this.schema.sets?.includes(key)) return [...new Set(splitList(value))].sort();
    return isNumeric(schema) ? normalizeNumber(value) : value;
  }
}

const itemSchema = (schema: ValueSchema): ValueSchema =>
  schema.type === "array" ? (schema.items ?? {}) : schema;

const isNumeric = (schema: ValueSchema): boolean =>
  schema.type === "boolean" || schema.type === "integer" || schema.type === "number";

/** `type: id`; without white space between them the last colon separates. */
function splitHeader(line: string): { type: string; id: string } | undefined {
  const trimmed = trimEnd(line);
  const gap = /[\t-\r ]/.exec(trimmed)?.index ?? -1;
  const colon = gap < 0 ? trimmed.lastIndexOf(":", trimmed.length - 2) : gap - 1;
  const type = trimmed.slice(0, Math.max(colon, 0));
  const id = trimStart(trimmed.slice(colon + 1));
  if (type === "" || id === "" || trimmed[colon] !== ":" || /[\t-\r ]/.test(id)) return undefined;
  return { type, id };
}

/**
 * Writes a section file: required properties first, then the others, each in ASCII order.
 *
 * @throws {@link LxcriError} `pve-section-incomplete` where a section lacks a required property,
 * `pve-section-invalid` where a value holds a line feed or a type is not known
 */
export function writeSections(schema: SectionFileSchema, config: SectionConfig): string {
  let text = "";
  for (const [id, section] of config.sections) {
    if (section === undefined)
      throw new LxcriError(
        "pve-section-incomplete",
        `cannot write section '${id}': it lacks a required property`,
      );
    text += `${section.type}: ${id}\n${writeProperties(schema, id, section)}\n`;
  }
  return text;
}

function writeProperties(schema: SectionFileSchema, id: string, section: Section): string {
  const options = Object.hasOwn(schema.types, section.type) ? schema.types[section.type] : undefined;
  if (options === undefined || isBlank(id) || /[\t-\r ]/.test(id))
    throw new LxcriError("pve-section-invalid", `cannot write section '${id}' of type '${section.type}'`);
  const sorted = Object.keys(options).sort();
  let text = "";
  for (const key of [...sorted.filter((each) => options[each]), ...sorted.filter((each) => !options[each])]) {
    const value = section.properties.get(key);
    if (value === undefined && options[key])
      throw new LxcriError("pve-section-incomplete", `cannot write section '${id}': it lacks '${key}'`);
    if (value !== undefined) text += writeProperty(schema, id, key, value);
  }
  return text;
}

function writeProperty(schema: SectionFileSchema, id: string, key: string, value: SectionValue): string {
  if ([value].flat().some((part) => /[\n\r]/.test(part)))
    throw new LxcriError(
      "pve-section-invalid",
      `cannot write '${key}' of section '${id}': it holds a line feed`,
    );
  const type = schema.properties[key]?.type;
  if (typeof value !== "string" && type === "array")
    return value.map((item) => `\t${key} ${item}\n`).join("");
  const single = typeof value === "string" ? value : [...value].sort().join(",");
  if (type === "boolean") return `\t${key} ${isTrue(single) ? 1 : 0}\n`;
  return single === "" ? "" : `\t${key} ${single}\n`;
}
