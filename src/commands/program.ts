/** From an argument vector to an exit code: global flags, the command, its flags, its errors. */
import { ContainerStore } from "../containers/store.ts";
import { LxcriError, messageOf } from "../host/errors.ts";
import { closest } from "../spec/closest.ts";
import { OCI_VERSION } from "../spec/state.ts";
import { type Logger, openLog } from "../telemetry/log.ts";
import { buildCommit, programName, releaseVersion } from "../telemetry/version.ts";
import type { Command, CommandGroup, Flag, Globals, Io } from "./command.ts";
import { globalFlags, parseGlobals } from "./globals.ts";
import { type Parsed, parseFlags } from "./parse.ts";
import { commandNames, loadCommand } from "./registry.ts";
import { UsageError } from "./usage-error.ts";

const helpFlag: Flag = { name: "help", short: "h", kind: "boolean", summary: "show help" };

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
    if (args.length === 0 || values.boolean("help")) return await help(args, io);
    if (args[0] === "help") return await help(args.slice(1), io);
    const found = await find(args);
    if ("subcommands" in found.command) return await group(found.command, found.rest, io);
    command = found.command;
    return await call(command, found.rest, globals, io, log);
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
  const { values, args }: Parsed = parseFlags(argv, [...command.flags, helpFlag], command.inOrder === true);
  if (values.boolean("help")) return await help(command.name.split(" "), io);
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

/** What the first words of a command line name; the rest are its arguments. */
async function find(
  words: readonly string[],
): Promise<{ readonly command: Command | CommandGroup; readonly rest: readonly string[] }> {
  const [name = "", second, ...rest] = words;
  const command = (await loadCommand(name)) ?? unknown(name, commandNames);
  if (!("subcommands" in command)) return { command, rest: words.slice(1) };
  if (second === undefined || second.startsWith("-")) return { command, rest: words.slice(1) };
  const names = Object.keys(command.subcommands);
  const load = names.includes(second) ? command.subcommands[second] : undefined;
  return { command: load === undefined ? unknown(second, names, name) : (await load()).command, rest };
}

function unknown(name: string, known: readonly string[], group?: string): never {
  const meant = closest(name, known);
  const words = (last: string): string => (group === undefined ? last : `${group} ${last}`);
  throw new UsageError(
    `no such command: ${words(name)}`,
    meant === undefined ? undefined : `Did you mean ${words(meant)}?`,
  );
}

/** A group that is called without a command of its. */
async function group(command: CommandGroup, argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseFlags(argv, [helpFlag], true);
  if (values.boolean("help")) return await help([command.name], io);
  throw new UsageError(
    `${JSON.stringify(command.name)} takes a command`,
    `It has: ${Object.keys(command.subcommands).join(", ")}.`,
  );
}

async function help(words: readonly string[], io: Io): Promise<number> {
  const { commandHelp, groupHelp, programHelp } = await import("./help.ts");
  if (words.length === 0) {
    const commands = await Promise.all(commandNames.map(async (name) => (await find([name])).command));
    io.stdout(programHelp(commands, globalFlags));
    return 0;
  }
  const { command } = await find(words);
  if ("subcommands" in command) {
    const loaded = await Promise.all(Object.values(command.subcommands).map((load) => load()));
    io.stdout(
      groupHelp(
        command,
        loaded.map((each) => each.command),
      ),
    );
  } else io.stdout(commandHelp(command));
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

/** `--version`: the lines that go-runc parses. */
const version = (): string =>
  `${programName} version ${releaseVersion}\ncommit: ${buildCommit}\nspec: ${OCI_VERSION}\n`;
