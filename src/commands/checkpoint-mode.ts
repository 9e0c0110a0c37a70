/** `--mode` of `checkpoint` and `restore`: what a person means when no folder for CRIU's images is given. */
import type { Flag, FlagValues } from "./command.ts";

export const modeFlag: Flag = {
  name: "mode",
  kind: "string",
  value: "MODE",
  summary: "fs: the file system; memory: the processes, too; auto: fs without --image-path",
  choices: ["auto", "fs", "memory"],
};

/** With `--image-path`, the runtime contract's, memory is meant: never silently less. */
export function meansFiles(flags: FlagValues): boolean {
  const mode = flags.string("mode") ?? "auto";
  return mode === "fs" || (mode === "auto" && !flags.given("image-path"));
}
