/**
 * Checks that calls go down the house and never up: a room (folder of src/) imports only rooms of lower floors,
 * and itself. Also that files do not import each other in a circle. usage: bun test/structure/rooms.ts [SRC]
 *
 * Our own check over the import statements: dependency-cruiser reads TypeScript through the compiler's JavaScript
 * interface, which TypeScript 7 no longer has, and needs a newer Node than Debian's.
 */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { importsOf } from "./imports.ts";

/** From the top floor down. Rooms of one floor do not know each other. */
export const floors: readonly (readonly string[])[] = [
  ["main"],
  ["commands", "cri", "api"],
  ["pods", "pve"],
  ["containers", "images", "network"],
  ["storage", "security", "lxc", "cgroups"],
  ["telemetry", "store", "spec"],
  ["host"],
];

/** Path below src → the paths below src that it imports. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

const roomOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "main");
const floorOf = (file: string): number => floors.findIndex((rooms) => rooms.includes(roomOf(file)));

/** Every import against the rules, one sentence each. */
export function findViolations(graph: ImportGraph): readonly string[] {
  const faults: string[] = [];
  for (const [file, imports] of graph) {
    if (floorOf(file) < 0)
      faults.push(`${file}: the room ${roomOf(file)} has no floor in test/structure/rooms.ts`);
    for (const target of imports) {
      if (roomOf(target) === roomOf(file)) continue;
      if (target.startsWith("../")) faults.push(`${file}: imports ${target}, outside src`);
      else if (floorOf(target) <= floorOf(file))
        faults.push(`${file}: imports ${target}, but ${roomOf(target)} is not below ${roomOf(file)}`);
    }
  }
  return [...faults, ...findCircles(graph)];
}

function findCircles(graph: ImportGraph): readonly string[] {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push(`circle: ${[...path.slice(at), file].join(" → ")}`);
    if (at >= 0 || done.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return circles;
}

/** Reads the imports between the files of `src`; tests may import what they like. */
export function readImportGraph(src: string): ImportGraph {
  const graph = new Map<string, readonly string[]>();
  for (const file of [...new Bun.Glob("**/*.ts").scanSync(src)].sort()) {
    if (file.endsWith(".test.ts")) continue;
    const imports = importsOf(readFileSync(join(src, file), "utf8"));
    graph.set(
      file,
      imports.filter((name) => name.startsWith(".")).map((name) => normalize(join(dirname(file), name))),
    );
  }
  return graph;
}

if (import.meta.main) {
  const graph = readImportGraph(process.argv[2] ?? "src");
  const faults = findViolations(graph);
  for (const fault of faults) console.error(fault);
  console.log(`${graph.size} files, ${faults.length} imports against the rules`);
  process.exit(graph.size === 0 || faults.length > 0 ? 1 : 0);
}
