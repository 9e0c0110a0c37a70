import type { Command } from "./command.ts";
import { Foreground } from "./foreground.ts";
import { launchedContext } from "./launched.ts";

/** `attach`: be with a launched container that runs. */
export const command: Command = {
  name: "attach",
  summary: "connect our terminal or streams to a running launched container",
  description: "Its exit code becomes ours. ctrl-p ctrl-q leaves a container with a terminal running.",
  args: "NAME",
  arity: [1, 1],
  flags: [{ name: "no-stdin", kind: "boolean", summary: "do not pass our standard input on" }],
  examples: ["attach web"],
  async run(invocation) {
    const { args, flags, io } = invocation;
    const { launched } = launchedContext(invocation);
    const record = launched.load(args[0] ?? "");
    const input = (record.interactive || record.tty) && !flags.boolean("no-stdin");
    using foreground = new Foreground(record, launched.bundle(record.name), input);
    const ending = await foreground.stay();
    if (ending.kind === "exited") return ending.code;
    io.stderr(`\r\n${record.name} goes on\r\n`);
    return 0;
  },
};
