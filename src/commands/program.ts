/** From an argument vector to an exit code: global flags, the command, its flags, its errors. */
import { ContainerStore } from "../containers/store.ts";
import { LxcriError, messageOf } from "../host/errors.ts";
import { closest } from "../spec/closest.ts";
import { type Logger, openLog } from "../telemetry/log.ts";
import { programName, version } from "../telemetry/version.ts";
import type { Command, Globals, Io } from "./command.ts";
import { globalFlags, parseGlobals } from "./globals.ts";
import { type Parsed, parseFlags } from "./parse.ts";
import { commandNames, loadCommand } from "./registry.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Runs one command line (without the program's name). Never throws: every error becomes a message on standard
 * error, a line of the log, and exit code 1.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let log = openLog({ format: "text", debug: false, stderr: io.stderr });
  let command: Command | undefined;
  try {
    const { values, args } = parseFlags(argv, globalFlags, true);
    const globals = parseGlobals(values, io);
    log = openLog({
      ...(globals.logPath === undefined ? {} : { path: globals.logPath }),
      format: globals.logFormat,
      debug: globals.debug,
      stderr: io.stderr,
    });
    if (values.boolean("version")) {
      io.stdout(version());
      return 0;
    }
    const [name, ...rest] = args;
    if (name === undefined || values.boolean("help")) return await help(name, io);
    if (name === "help") return await help(rest[0], io);
    command = await find(name);
    return await call(command, rest, globals, io, log);
  } catch (error) {
    await report(error, command, log, io);
    return 1;
  }
}

async function call(
  command: Command,
  argv: readonly string[],
  globals: Globals,
  io: Io,
  log: Logger,
): Promise<number> {
  const { values, args }: Parsed = parseFlags(
    argv,
    [...command.flags, { name: "help", short: "h", kind: "boolean", summary: "show help" }],
    command.inOrder === true,
  );
  if (values.boolean("help")) return await help(command.name, io);
  const [least, most] = command.arity;
  if (args.length < least || args.length > most) throw wrongCount(command, args.length);
  return await command.run({
    args,
    flags: values,
    globals,
    io,
    log,
    store: ContainerStore.open(globals.root),
  });
}

function wrongCount(command: Command, given: number): UsageError {
  const [least, most] = command.arity;
  const wanted =
    least === most
      ? `requires exactly ${least}`
      : given < least
        ? `requires a minimum of ${least}`
        : `takes at most ${most}`;
  return new UsageError(`${JSON.stringify(command.name)} ${wanted} argument(s), not ${given}`);
}

async function find(name: string): Promise<Command> {
  const command = await loadCommand(name);
  if (command !== undefined) return command;
  const meant = closest(name, commandNames);
  throw new UsageError(
    `no such command: ${name}`,
    meant === undefined ? undefined : `Did you mean ${meant}?`,
  );
}

async function help(name: string | undefined, io: Io): Promise<number> {
  const { commandHelp, programHelp } = await import("./help.ts");
  if (name !== undefined) {
    io.stdout(commandHelp(await find(name)));
    return 0;
  }
  const commands = await Promise.all(commandNames.map(find));
  io.stdout(programHelp(commands, globalFlags));
  return 0;
}

async function report(error: unknown, command: Command | undefined, log: Logger, io: Io): Promise<void> {
  log.error(messageOf(error));
  // Who started us with a log file may look at either.
  if (log.path !== undefined) io.stderr(`${programName}: ${messageOf(error)}\n`);
  if (error instanceof LxcriError && error.fix !== undefined) io.stderr(`${error.fix}\n`);
  if (!(error instanceof UsageError)) return;
  const { usageLine } = await import("./help.ts");
  io.stderr(
    command === undefined
      ? `Usage: ${programName} [GLOBAL FLAGS] COMMAND [FLAGS] [ARGS]; see ${programName} --help\n`
      : `Usage: ${usageLine(command)}; see ${programName} ${command.name} --help\n`,
  );
}
