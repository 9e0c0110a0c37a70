/** Reading a container's log, from its end backwards where only the last lines are wanted, and following it. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { isMissing } from "../../host/errors.ts";
import { IN_MODIFY, Watch } from "../../host/inotify.ts";
import { conmonOf, waitForExit } from "./conmon.ts";
import { LineCutter, type LogEntry, parseLogLine } from "./log-lines.ts";
import type { LaunchedRecord, LaunchedStore } from "./record.ts";

/** What of the log. */
export interface LogQuery {
  /** Only this many last lines. */
  readonly tail?: number;
  /** ms since 1970: only what is not older. */
  readonly since?: number;
  /** Go on until the container has ended. */
  readonly follow: boolean;
  readonly signal?: AbortSignal;
}

const PIECE = 65_536;
const NEWLINE = 0x0a;
/** setTimeout's longest, ms. */
const FOREVER = 2 ** 31 - 1;

/** The entries asked for. */
export async function* readLog(
  launched: LaunchedStore,
  { name }: LaunchedRecord,
  query: LogQuery,
): AsyncGenerator<LogEntry> {
  let fd: number;
  try {
    fd = openSync(launched.logPath(name), "r");
  } catch (error) {
    // It has never been started.
    if (isMissing(error)) return;
    throw error;
  }
  try {
    const cutter = new LineCutter();
    let at = query.tail === undefined ? 0 : tailStart(fd, query.tail);
    const rest = function* (): Generator<LogEntry> {
      const buffer = Buffer.alloc(PIECE);
      for (
        let size = readSync(fd, buffer, 0, PIECE, at);
        size > 0;
        size = readSync(fd, buffer, 0, PIECE, at)
      ) {
        at += size;
        for (const line of cutter.push(buffer.subarray(0, size))) {
          const entry = parseLogLine(line);
          if (entry !== undefined && !(Date.parse(entry.time) < (query.since ?? 0))) yield entry;
        }
      }
    };
    yield* rest();
    if (!query.follow) return;
    const over = new AbortController();
    const stop = query.signal === undefined ? over.signal : AbortSignal.any([query.signal, over.signal]);
    const bundle = launched.bundle(name);
    // Where its exit code is, all that it has said is in the log.
    const ended = waitForExit(bundle, conmonOf(bundle), stop).finally(() => over.abort());
    ended.catch(() => {});
    try {
      while (!stop.aborted) {
        using watch = new Watch(launched.logPath(name), IN_MODIFY);
        for (let more = true; more; more = await watch.next(FOREVER, stop)) yield* rest();
      }
      yield* rest();
    } finally {
      over.abort();
    }
  } finally {
    closeSync(fd);
  }
}

/** Where the last `count` lines begin. */
function tailStart(fd: number, count: number): number {
  const { size } = fstatSync(fd);
  const buffer = Buffer.alloc(PIECE);
  let wanted = count;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - PIECE);
    readSync(fd, buffer, 0, end - start, start);
    for (let i = end - start - 1; i >= 0; i -= 1) {
      // The newline that ends the file begins no line.
      if (buffer[i] !== NEWLINE || start + i === size - 1) continue;
      wanted -= 1;
      if (wanted <= 0) return count === 0 ? size : start + i + 1;
    }
    end = start;
  }
  return count === 0 ? size : 0;
}
