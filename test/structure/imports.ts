/** The import statements of a TypeScript file, types included, as the text says them. */

const statement =
  /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\s*\(\s*"([^"]+)"\s*\)/gm;

/** Module names that `text` imports or re-exports, statically or lazily. */
export function importsOf(text: string): readonly string[] {
  return [...text.matchAll(statement)].flatMap((match) =>
    match.slice(1).filter((name) => name !== undefined),
  );
}
