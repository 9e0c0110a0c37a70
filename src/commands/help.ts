/** Help pages, made from the commands' descriptions. */
import { programName } from "../telemetry/version.ts";
import type { Command, CommandGroup, Flag } from "./command.ts";

/** One line that shows how a command is written. */
export const usageLine = (command: Pick<Command, "name" | "args" | "flags">): string =>
  [programName, command.name, command.flags.length > 0 ? "[FLAGS]" : "", command.args]
    .filter((part) => part !== "")
    .join(" ");

/** `--help` of one command. */
export function commandHelp(command: Command): string {
  const parts = [`${programName} ${command.name}: ${command.summary}`, `Usage:\n  ${usageLine(command)}`];
  if (command.description !== undefined) parts.push(command.description);
  if (command.flags.length > 0) parts.push(`Flags:\n${flagTable(command.flags)}`);
  if (command.examples.length > 0) {
    parts.push(`Examples:\n${command.examples.map((line) => `  ${programName} ${line}`).join("\n")}`);
  }
  return `${parts.join("\n\n")}\n`;
}

/** `--help` of a group. */
export function groupHelp(
  group: CommandGroup,
  commands: readonly Pick<Command, "name" | "summary">[],
): string {
  const rows = commands.map(({ name, summary }): [string, string] => [name, summary]);
  return `${[
    `${programName} ${group.name}: ${group.summary}`,
    `Usage:\n  ${programName} ${group.name} COMMAND [FLAGS] [ARGS]`,
    `Commands:\n${columns(rows)}`,
  ].join("\n\n")}\n`;
}

/** `--help` of the program. */
export function programHelp(
  commands: readonly Pick<Command, "name" | "summary">[],
  globals: readonly Flag[],
): string {
  const rows = commands.map(({ name, summary }): [string, string] => [name, summary]);
  return `${[
    `${programName}: OCI containers on LXC, for Proxmox VE and plain Debian`,
    `Usage:\n  ${programName} [GLOBAL FLAGS] COMMAND [FLAGS] [ARGS]`,
    `Commands:\n${columns(rows)}`,
    `Global flags:\n${flagTable(globals)}`,
    `Examples:
  ${programName} create --bundle /srv/web web1
  ${programName} start web1
  ${programName} list
  ${programName} COMMAND --help`,
  ].join("\n\n")}\n`;
}

const flagTable = (flags: readonly Flag[]): string =>
  columns(flags.map((flag) => [flagSyntax(flag), flag.summary + choices(flag)]));

const choices = (flag: Flag): string => (flag.choices === undefined ? "" : ` (${flag.choices.join(", ")})`);

function flagSyntax(flag: Flag): string {
  const value = flag.kind === "boolean" ? "" : ` ${flag.value ?? "VALUE"}`;
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  return `${short}--${flag.name}${value}`;
}

/** Two columns; a long left side gets a line of its own. */
function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(30, Math.max(...rows.map(([left]) => left.length)));
  return rows
    .map(([left, right]) =>
      left.length > width
        ? `  ${left}\n  ${" ".repeat(width)}  ${right}`
        : `  ${left.padEnd(width)}  ${right}`,
    )
    .join("\n");
}
