/** For tests: one command line in this process, with what it wrote. */
import { main } from "./program.ts";

/** What a command line did. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How {@link runCommand} runs it. */
export interface CommandSurroundings {
  readonly stdin?: string;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

/** Runs `argv` (without the program's name). */
export async function runCommand(
  argv: readonly string[],
  around: CommandSurroundings = {},
): Promise<CommandResult> {
  let stdout = "";
  let stderr = "";
  const code = await main(argv, {
    stdin: async () => around.stdin ?? "",
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
    env: {},
    cwd: around.cwd ?? "/",
    ...(around.signal === undefined ? {} : { signal: around.signal }),
  });
  return { code, stdout, stderr };
}
