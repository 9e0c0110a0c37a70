/** Which processes a container has, and what ps(1) says of them. */
import { LxcriError } from "../host/errors.ts";
import { runChecked } from "../host/process.ts";
import { processesOf } from "./leaf.ts";
import type { ContainerStore } from "./store.ts";

/** The processes of one container. */
export interface ProcessTable {
  /** In the host's view, in order. */
  readonly pids: readonly number[];
  /** ps(1)'s lines for them, below its own head. @param options of ps; `-ef` when none */
  table(options: readonly string[]): Promise<string>;
}

/** The processes of a container now. @throws ContainerError `container-not-found` */
export function processTable(store: ContainerStore, id: string): ProcessTable {
  const pids = processesOf(store.load(id));
  return {
    pids,
    table: async (options) => {
      const { stdout } = await runChecked(["ps", ...(options.length > 0 ? options : ["-ef"])]);
      return selectProcesses(stdout, new Set(pids));
    },
  };
}

/** The head of a ps(1) table and the lines of these pids. @throws LxcriError `ps-without-pid` */
export function selectProcesses(text: string, pids: ReadonlySet<number>): string {
  const [head = "", ...lines] = text.trimEnd().split("\n");
  const column = head.trim().split(/\s+/).indexOf("PID");
  if (column < 0) {
    throw new LxcriError("ps-without-pid", "ps: its table has no PID column", {
      fix: "Give ps options that print the PID, such as -o pid,comm.",
    });
  }
  const chosen = lines.filter((line) => pids.has(Number(line.trim().split(/\s+/)[column])));
  return `${[head, ...chosen].join("\n")}\n`;
}
