import { listImages, readDocuments } from "../images/catalog.ts";
import { ImageNames } from "../images/names.ts";
import type { Command } from "./command.ts";

/** `image inspect`. */
export const command: Command = {
  name: "image inspect",
  summary: "print all that is known of images, as JSON",
  description: "A list with an object for each: its names and sizes, its manifest and its config.",
  args: "IMAGE...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [],
  examples: ["image inspect debian:12"],
  async run({ args, globals, io }) {
    const entries = listImages(globals.dataRoot);
    const names = new ImageNames(globals.dataRoot);
    const found = args.flatMap((name) =>
      names
        .find(name)
        .slice(0, 1)
        .map((image) => {
          const { manifest, config } = readDocuments(globals.dataRoot, image);
          return {
            ...entries.find(({ id }) => id === image.id),
            target: image.target,
            digest: image.manifest,
            chainIds: image.layers,
            manifest: { config: manifest.config, layers: manifest.layers },
            config,
          };
        }),
    );
    io.stdout(`${JSON.stringify(found, undefined, 2)}\n`);
    return 0;
  },
};
