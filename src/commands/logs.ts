import { LogPrinter } from "../containers/launched/log-lines.ts";
import { readLog } from "../containers/launched/logs.ts";
import type { Command } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { launchedContext } from "./launched.ts";
import { writeAll } from "./process-io.ts";
import { UsageError } from "./usage-error.ts";

/** `logs`: what a launched container printed. */
export const command: Command = {
  name: "logs",
  summary: "print what a launched container printed, each stream to ours",
  args: "NAME",
  arity: [1, 1],
  flags: [
    { name: "follow", short: "f", kind: "boolean", summary: "go on until the container has ended" },
    { name: "tail", short: "n", kind: "string", value: "N", summary: "only the last N lines, or all" },
    {
      name: "since",
      kind: "string",
      value: "TIME",
      summary: "only what is newer: a time (2026-01-31T12:00:00Z) or a duration (10m)",
    },
    { name: "timestamps", short: "t", kind: "boolean", summary: "print the time before each line" },
  ],
  examples: ["logs web", "logs --follow --tail 20 web", "logs --since 10m --timestamps web"],
  async run(invocation) {
    const { args, flags, io } = invocation;
    const { launched } = launchedContext(invocation);
    const since = flags.string("since");
    const tail = flags.string("tail") ?? "all";
    if (tail !== "all" && !/^\d{1,9}$/.test(tail))
      throw new UsageError(`--tail ${tail}: give a number, or all`);
    const query = {
      follow: flags.boolean("follow"),
      ...(tail === "all" ? {} : { tail: Number(tail) }),
      ...(since === undefined ? {} : { since: momentOf(since) }),
      ...(io.signal === undefined ? {} : { signal: io.signal }),
    };
    const printer = new LogPrinter(flags.boolean("timestamps"));
    for await (const entry of readLog(launched, launched.load(args[0] ?? ""), query)) {
      writeAll(entry.stream === "stdout" ? 1 : 2, printer.print(entry));
    }
    return 0;
  },
};

/** ms since 1970. */
function momentOf(text: string): number {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Date.now() - parseDuration(text);
  if (!Number.isNaN(time)) return time;
  throw new UsageError(
    `--since ${text}: give a time such as 2026-01-31T12:00:00Z, or a duration such as 10m`,
  );
}
