/** Material for this room's tests: a sound document, changed in places, and what the parser says about it. */
import type { Config } from "./config.ts";
import { defaultConfig } from "./default-config.ts";
import { faultText, SpecError } from "./faults.ts";
import { parseConfig } from "./parse.ts";

type Json = Record<string, unknown>;

/** JSON text of the default config with `changes` put in by path, such as `process.cwd`; undefined removes. */
export function documentWith(changes: Readonly<Json>): string {
  const document: Json = structuredClone(defaultConfig()) as unknown as Json;
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split(".");
    let parent = document;
    for (const name of names.slice(0, -1)) {
      parent[name] ??= {};
      parent = parent[name] as Json;
    }
    parent[names.at(-1) ?? ""] = value;
  }
  return JSON.stringify(document);
}

/** What the parser says: `path: message` lines, and the config where it is accepted. */
export interface Verdict {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  readonly config: Config | undefined;
}

/** The verdict on a text. Anything but a SpecError is passed on. */
export function judge(text: string): Verdict {
  try {
    const { config, warnings } = parseConfig(text);
    return { faults: [], warnings: warnings.map(faultText), config };
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return { faults: error.faults.map(faultText), warnings: [], config: undefined };
  }
}

/** The verdict on the default config with `changes`. */
export const judgeWith = (changes: Readonly<Json>): Verdict => judge(documentWith(changes));

/** Only the faults. */
export const faultsWith = (changes: Readonly<Json>): readonly string[] => judgeWith(changes).faults;

/** The default namespaces plus these. */
export const namespaces = (...types: string[]): readonly { readonly type: string }[] =>
  ["pid", "network", "ipc", "uts", "mount", "cgroup", ...types].map((type) => ({ type }));
