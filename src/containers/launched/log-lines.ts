/** The log that conmon writes, in the form of the Kubernetes CRI: `TIME STREAM F|P TEXT`. Pure. */

/** One piece of output. */
export interface LogEntry {
  /** RFC 3339, nanoseconds. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  /** More of the same line follows. */
  readonly partial: boolean;
  readonly text: Buffer;
}

const SPACE = 0x20;
const NEWLINE = 0x0a;

/** An entry of a line without its newline; undefined where it is none. */
export function parseLogLine(line: Buffer): LogEntry | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  const third = line.indexOf(SPACE, second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  const time = line.toString("latin1", 0, first);
  const stream = line.toString("latin1", first + 1, second);
  if ((stream !== "stdout" && stream !== "stderr") || !/^\d{4}-\d\d-\d\dT/.test(time)) return undefined;
  return { time, stream, partial: line[second + 1] === 0x50, text: line.subarray(third + 1) };
}

/** Cuts pieces of a file into lines. */
export class LineCutter {
  #rest: Buffer[] = [];

  /** The lines that this piece ends, without their newlines. */
  *push(piece: Buffer): Generator<Buffer> {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...this.#rest, piece.subarray(start, end)]);
      this.#rest = [];
      start = end + 1;
    }
    if (start < piece.length) this.#rest.push(Buffer.from(piece.subarray(start)));
  }
}

/** What to write for an entry: its text, a newline at the end of a line, the time before its beginning if asked. */
export class LogPrinter {
  readonly #timestamps: boolean;
  readonly #midLine = { stdout: false, stderr: false };

  constructor(timestamps: boolean) {
    this.#timestamps = timestamps;
  }

  print({ time, stream, partial, text }: LogEntry): Buffer {
    const head = this.#timestamps && !this.#midLine[stream] ? Buffer.from(`${time} `) : Buffer.alloc(0);
    this.#midLine[stream] = partial;
    return Buffer.concat(partial ? [head, text] : [head, text, Buffer.from("\n")]);
  }
}
