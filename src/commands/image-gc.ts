import { collectGarbage } from "../images/gc.ts";
import type { Command } from "./command.ts";
import { formatBytes } from "./image-progress.ts";
import { jsonFlag } from "./launched.ts";

/** `image gc`. */
export const command: Command = {
  name: "image gc",
  summary: "remove blobs and layers that no image and no container needs",
  description: "Safe beside running pulls and launches: what they work with stays.",
  args: "",
  arity: [0, 0],
  flags: [
    { name: "dry-run", short: "n", kind: "boolean", summary: "only say what would go" },
    { name: "unused", kind: "boolean", summary: "also remove images that no container was made from" },
    jsonFlag,
  ],
  examples: ["image gc --dry-run", "image gc --unused"],
  async run({ flags, globals, io }) {
    const dryRun = flags.boolean("dry-run");
    const collection = await collectGarbage(globals.dataRoot, {
      dryRun,
      unused: flags.boolean("unused"),
      ...(io.signal === undefined ? {} : { signal: io.signal }),
    });
    if (flags.boolean("json")) {
      io.stdout(`${JSON.stringify({ dryRun, ...collection })}\n`);
      return 0;
    }
    const { names, blobs, layers, bytes } = collection;
    const lines = [
      ...names.map((name) => `image ${name}`),
      ...blobs.map((each) => `blob ${each.digest} ${formatBytes(each.bytes)}`),
      ...layers.map((each) => `layer ${each.digest} ${formatBytes(each.bytes)}`),
      `${formatBytes(bytes)} ${dryRun ? "would be freed" : "freed"}`,
    ];
    io.stdout(`${lines.join("\n")}\n`);
    return 0;
  },
};
