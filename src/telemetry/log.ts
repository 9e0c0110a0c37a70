/** The runtime's log: plain text on standard error, or appended to `--log` as runc does, logrus text or JSON lines. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { programName } from "./version.ts";

/** logrus' names. */
export type LogLevel = "error" | "warning" | "info" | "debug";

/** Where an operation says what the caller should know. Never throws. */
export interface Logger {
  /** The `--log` file, for a program that goes on in our place. */
  readonly path: string | undefined;
  readonly format: "text" | "json";
  error(message: string): void;
  warning(message: string): void;
  debug(message: string): void;
}

/** How {@link openLog} writes. */
export interface LogOptions {
  /** File to append to; absent: `stderr`. */
  readonly path?: string;
  readonly format: "text" | "json";
  readonly debug: boolean;
  /** Writes one line; used without `path` and when the file cannot be written. */
  readonly stderr: (text: string) => void;
}

/** One log line with its newline. */
export function formatLine(
  format: "text" | "json",
  level: LogLevel,
  message: string,
  time = new Date(),
): string {
  const stamp = `${time.toISOString().slice(0, 19)}Z`;
  if (format === "json") return `${JSON.stringify({ level, msg: message, time: stamp })}\n`;
  return `time="${stamp}" level=${level} msg=${JSON.stringify(message)}\n`;
}

/** What a person reads on a terminal. */
const plainLine = (level: LogLevel, message: string): string =>
  `${programName}: ${level === "error" ? "" : `${level}: `}${message}\n`;

/** A logger that opens its file for each line: a command says little, and nothing stays open. */
export function openLog(options: LogOptions): Logger {
  const write = (level: LogLevel, message: string): void => {
    if (options.path === undefined && options.format === "text") {
      options.stderr(plainLine(level, message));
      return;
    }
    const line = formatLine(options.format, level, message);
    if (options.path === undefined) {
      options.stderr(line);
      return;
    }
    try {
      append(options.path, line);
    } catch {
      // A full disk must not hide the message.
      options.stderr(line);
    }
  };
  return {
    path: options.path,
    format: options.format,
    error: (message) => write("error", message),
    warning: (message) => write("warning", message),
    debug: (message) => {
      if (options.debug) write("debug", message);
    },
  };
}

/** One write with O_APPEND, so that lines of several processes do not mix. */
function append(path: string, line: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o644);
  try {
    writeSync(fd, line);
  } finally {
    closeSync(fd);
  }
}
