import { readDocuments } from "../images/catalog.ts";
import { ImageNames } from "../images/names.ts";
import type { Command } from "./command.ts";
import { formatBytes } from "./image-progress.ts";
import { jsonFlag } from "./launched.ts";
import { table } from "./table.ts";

const WIDTH = 70;
// biome-ignore lint/suspicious/noControlCharactersInRegex: an image must not command the terminal
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

/** `image history`. */
export const command: Command = {
  name: "image history",
  summary: "show how an image was made, the last step first",
  args: "IMAGE",
  arity: [1, 1],
  flags: [{ name: "no-trunc", kind: "boolean", summary: "show whole commands" }, jsonFlag],
  examples: ["image history debian:12"],
  async run({ args, flags, globals, io }) {
    const [image] = new ImageNames(globals.dataRoot).find(args[0] ?? "");
    if (image === undefined) return 1;
    const { manifest, config } = readDocuments(globals.dataRoot, image);
    const layers = manifest.layers.values();
    const steps = (config.history ?? [])
      .map(({ created, created_by, comment, empty_layer }) => {
        const layer = empty_layer === true ? undefined : layers.next().value;
        return {
          created: created ?? null,
          createdBy: created_by ?? "",
          comment: comment ?? "",
          size: layer?.size ?? 0,
          layer: layer?.digest ?? null,
        };
      })
      .reverse();
    if (flags.boolean("json")) {
      io.stdout(`${JSON.stringify(steps)}\n`);
      return 0;
    }
    const shown = (text: string): string => {
      const line = text.replace(CONTROL, " ").trim();
      return flags.boolean("no-trunc") || line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 1)}…`;
    };
    const rows = steps.map(({ created, size, createdBy, comment }) => [
      created === null ? "" : shown(created.slice(0, 19).replace("T", " ")),
      formatBytes(size),
      shown(createdBy || comment),
    ]);
    io.stdout(table([["CREATED", "SIZE", "CREATED BY"], ...rows]));
    return 0;
  },
};
