import { unmountImage } from "../images/mounted.ts";
import type { Command } from "./command.ts";

/** `image unmount`. */
export const command: Command = {
  name: "image unmount",
  summary: "unmount what `image mount` mounted",
  args: "IMAGE",
  arity: [1, 1],
  flags: [],
  examples: ["image unmount debian:12"],
  async run({ args, globals }) {
    await unmountImage(globals.dataRoot, args[0] ?? "");
    return 0;
  },
};
