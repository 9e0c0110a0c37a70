/**
 * The command line as data: what a command is called, takes and does. Help, completions and man pages come from
 * the same description. One file per command in this folder: parse, call, print.
 */
import type { CgroupManager } from "../containers/cgroup-record.ts";
import type { ContainerStore } from "../containers/store.ts";
import type { Logger } from "../telemetry/log.ts";

/** One option. Every spelling works with one dash or two, `--name value` or `--name=value`. */
export interface Flag {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** Other long names for the same. */
  readonly aliases?: readonly string[];
  /** `boolean` takes no value (but `=false` is understood); `list` may be given several times. */
  readonly kind: "boolean" | "string" | "integer" | "list";
  /** What help calls the value: `DIR`, `FILE`, `N`. */
  readonly value?: string;
  readonly summary: string;
  /** The only values taken. */
  readonly choices?: readonly string[];
}

/** Loads a command when it is called. */
export type CommandLoader = () => Promise<{ readonly command: Command | CommandGroup }>;

/** Commands that are called by two words, `image pull`; they are named so, too. */
export interface CommandGroup {
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** By their second word, in the order of the help page. */
  readonly subcommands: Readonly<Record<string, () => Promise<{ readonly command: Command }>>>;
}

/** One command. */
export interface Command {
  /** With its group's before it. */
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** Further paragraphs of help. */
  readonly description?: string;
  /** Positional arguments as help shows them: `ID [SIGNAL]`. */
  readonly args: string;
  /** How many positional arguments it takes: at least, at most. */
  readonly arity: readonly [number, number];
  /** Flags end at the first positional argument, for what follows belongs to another program. */
  readonly inOrder?: boolean;
  readonly flags: readonly Flag[];
  /** Command lines without the program's name. */
  readonly examples: readonly string[];
  /** Does it; resolves to the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** The values of the flags that were given. */
export interface FlagValues {
  /** True when given (and not `=false`). */
  boolean(name: string): boolean;
  /** undefined when not given. */
  string(name: string): string | undefined;
  /** undefined when not given. */
  integer(name: string): number | undefined;
  /** In the order given. */
  list(name: string): readonly string[];
  /** Whether it was given at all. */
  given(name: string): boolean;
}

/** The flags before the command. */
export interface Globals {
  /** Absolute path of the state folder. */
  readonly root: string;
  /** Absolute path of the folder of images, and of launched containers. */
  readonly dataRoot: string;
  readonly logPath?: string;
  readonly logFormat: "text" | "json";
  readonly debug: boolean;
  readonly cgroupManager: CgroupManager;
}

/** The world outside, so that a test runs commands in its own process. */
export interface Io {
  /** All of standard input. */
  stdin(): Promise<string>;
  stdout(text: string): void;
  stderr(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /** Ends commands that run until interrupted. */
  readonly signal?: AbortSignal;
}

/** One call of one command. */
export interface Invocation {
  readonly args: readonly string[];
  readonly flags: FlagValues;
  readonly globals: Globals;
  readonly io: Io;
  readonly log: Logger;
  readonly store: ContainerStore;
}
