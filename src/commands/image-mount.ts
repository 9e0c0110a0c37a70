import { mountImage } from "../images/mounted.ts";
import type { Command } from "./command.ts";

/** `image mount`. */
export const command: Command = {
  name: "image mount",
  summary: "mount an image to look into it, and print the folder",
  description: "What is written there is no part of the image and goes with `image unmount`.",
  args: "IMAGE",
  arity: [1, 1],
  flags: [],
  examples: ["image mount debian:12"],
  async run({ args, globals, io }) {
    io.stdout(`${await mountImage(globals.dataRoot, args[0] ?? "")}\n`);
    return 0;
  },
};
