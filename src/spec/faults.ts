/** What is wrong with a document: single faults, the error that lists them, and the collector while checking. */
import { LxcriError } from "../host/errors.ts";

/** One fault or warning; `path` is like `linux.namespaces[1].type`, empty for the whole document. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** A message stays readable in a log line; {@link SpecError.faults} has all of them. */
const FAULTS_IN_MESSAGE = 20;

/** A hostile document may be wrong in every element; nobody reads more than this. */
const MAX_FINDINGS = 1000;

/** A document that breaks the runtime spec. `faults` lists everything that was found, in document order. */
export class SpecError extends LxcriError {
  readonly faults: readonly Fault[];

  constructor(document: string, faults: readonly Fault[]) {
    const shown = faults.slice(0, FAULTS_IN_MESSAGE).map(faultText).join("; ");
    const more = faults.length - FAULTS_IN_MESSAGE;
    super("invalid-config", `invalid ${document}: ${shown}${more > 0 ? `; and ${more} more` : ""}`);
    this.faults = faults;
  }
}

/** `path: message`, as a person reads it. */
export const faultText = (fault: Fault): string =>
  fault.path === "" ? fault.message : `${fault.path}: ${fault.message}`;

/** Collects faults and warnings while a document is checked. */
export class Findings {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  /** True where no string of the document holds a control character, so that no check has to look for one. */
  readonly plain: boolean;

  /** `source`: the document's text, in which a control character can only stand as an escape. */
  constructor(source: string) {
    // Most documents have no escape at all, and looking for a character costs next to nothing.
    this.plain = !source.includes("\\") || !/\\(?:[bfnrt]|u00[01])/.test(source);
  }

  /** Notes a fault. Returns undefined, which is what a shape returns for a value that it refuses. */
  fault(path: string, message: string): undefined {
    if (!this.full) this.faults.push({ path, message });
  }

  /** True once so much is wrong that further faults are only dropped. */
  get full(): boolean {
    return this.faults.length >= MAX_FINDINGS;
  }

  /** Notes something that is ignored or odd, but runs. */
  warn(path: string, message: string): void {
    if (this.warnings.length < MAX_FINDINGS) this.warnings.push({ path, message });
  }

  /** True where something at or below `path` is at fault, so that rules built on it would only add noise. */
  touches(path: string): boolean {
    return this.faults.some((fault) => fault.path.startsWith(path));
  }
}

/** A value from the document, quoted for a message and cut to a readable length. */
export function quote(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
