import { tagImage } from "../images/catalog.ts";
import type { Command } from "./command.ts";

/** `image tag`. */
export const command: Command = {
  name: "image tag",
  summary: "give an image one more name",
  args: "IMAGE NAME",
  arity: [2, 2],
  flags: [],
  examples: ["image tag debian:12 registry.example.org/base/debian:12"],
  async run({ args, globals, io }) {
    const [image = "", name = ""] = args;
    io.stdout(`${tagImage(globals.dataRoot, image, name)}\n`);
    return 0;
  },
};
