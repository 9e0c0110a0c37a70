import { LxcriError } from "../host/errors.ts";
import { untagImage } from "../images/catalog.ts";
import { collectGarbage } from "../images/gc.ts";
import type { Command } from "./command.ts";
import { formatBytes } from "./image-progress.ts";
import { jsonFlag } from "./launched.ts";

/** `image rm`. */
export const command: Command = {
  name: "image rm",
  summary: "remove images",
  description: `A name is taken from its image; an id or digest stands for all names of the image. Blobs and layers that
no name and no container needs any more go at once; a container keeps what it was made from.`,
  args: "IMAGE...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: "force", short: "f", kind: "boolean", summary: "an image that is not there is no error" },
    jsonFlag,
  ],
  examples: ["image rm debian:12", "image rm 3f2a9c"],
  async run({ args, flags, globals, io }) {
    const removed: string[] = [];
    for (const image of args) {
      try {
        removed.push(...untagImage(globals.dataRoot, image));
      } catch (error) {
        const missing = error instanceof LxcriError && error.code === "image-not-found";
        if (!missing || !flags.boolean("force")) throw error;
      }
    }
    const { bytes } = await collectGarbage(
      globals.dataRoot,
      io.signal === undefined ? {} : { signal: io.signal },
    );
    if (flags.boolean("json")) io.stdout(`${JSON.stringify({ removed, bytes })}\n`);
    else io.stdout(`${removed.map((name) => `${name}\n`).join("")}${formatBytes(bytes)} freed\n`);
    return 0;
  },
};
