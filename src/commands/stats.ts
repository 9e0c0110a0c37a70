import { isatty } from "node:tty";
import { listStates } from "../containers/state.ts";
import { cpuPercent, sampleUsage, type UsageSample } from "../containers/usage.ts";
import { LxcriError } from "../host/errors.ts";
import type { Command, Invocation } from "./command.ts";
import { formatBytes } from "./image-progress.ts";
import { jsonFlag } from "./launched.ts";
import { table } from "./table.ts";

/** ms between two pictures; the share of CPU is that of this time. */
const INTERVAL = 1_000;
const FIRST_INTERVAL = 200;

/** `stats`: what containers use. */
export const command: Command = {
  name: "stats",
  summary: "show what containers use of CPU, memory, processes and block devices",
  description: "Without names all that run. Goes on until interrupted, once a second.",
  args: "[NAME...]",
  arity: [0, Number.POSITIVE_INFINITY],
  flags: [
    { name: "no-stream", kind: "boolean", summary: "print once" },
    { ...jsonFlag, summary: "print a JSON list a line, for programs" },
  ],
  examples: ["stats", "stats --no-stream web", "stats --no-stream --json web db"],
  async run({ args, flags, store, io, log }) {
    const names = (): readonly string[] =>
      args.length > 0
        ? args
        : listStates(store, log)
            .filter(({ status }) => status === "running" || status === "paused")
            .map(({ id }) => id);
    const once = flags.boolean("no-stream");
    const clear = isatty(1) && !once ? "\x1b[H\x1b[2J" : "";
    let before = sampleAll(store, names(), args.length > 0);
    for (let pause = FIRST_INTERVAL; io.signal?.aborted !== true; pause = INTERVAL) {
      await Bun.sleep(pause);
      const after = sampleAll(store, names(), args.length > 0);
      const rows = [...after].map(([name, sample]) => rowOf(name, before.get(name) ?? sample, sample));
      io.stdout(flags.boolean("json") ? `${JSON.stringify(rows)}\n` : `${clear}${asTable(rows)}`);
      if (once) break;
      before = after;
    }
    return 0;
  },
};

type Row = ReturnType<typeof rowOf>;

const rowOf = (name: string, before: UsageSample, { at: _at, cpuTime, ...now }: UsageSample) => ({
  name,
  cpuPercent: Math.round(cpuPercent(before, { at: _at, cpuTime, ...now }) * 100) / 100,
  cpuTime,
  ...now,
});

/** One that has ended is left out, unless it was asked for. */
function sampleAll(
  store: Invocation["store"],
  names: readonly string[],
  asked: boolean,
): ReadonlyMap<string, UsageSample> {
  return new Map(
    names.flatMap((name): [string, UsageSample][] => {
      try {
        return [[name, sampleUsage(store, name)]];
      } catch (error) {
        if (!asked && error instanceof LxcriError && error.code.startsWith("container-not-")) return [];
        throw error;
      }
    }),
  );
}

const asTable = (rows: readonly Row[]): string =>
  table([
    ["NAME", "CPU %", "MEMORY", "LIMIT", "PIDS", "BLOCK READ", "BLOCK WRITTEN"],
    ...rows.map((row) => [
      row.name,
      row.cpuPercent.toFixed(2),
      formatBytes(row.memory),
      row.memoryLimit === undefined ? "none" : formatBytes(row.memoryLimit),
      row.processLimit === undefined ? String(row.processes) : `${row.processes} of ${row.processLimit}`,
      formatBytes(row.blockRead),
      formatBytes(row.blockWritten),
    ]),
  ]);
