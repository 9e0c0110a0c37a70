import { listImages } from "../images/catalog.ts";
import type { Command } from "./command.ts";
import { formatBytes } from "./image-progress.ts";
import { jsonFlag } from "./launched.ts";
import { table } from "./table.ts";

/** `image ls`. */
export const command: Command = {
  name: "image ls",
  summary: "list images",
  description: "SIZE is that of the image's blobs and of its unpacked layers, which images share.",
  args: "",
  arity: [0, 0],
  flags: [{ name: "quiet", short: "q", kind: "boolean", summary: "print ids only" }, jsonFlag],
  examples: ["image ls", "image ls --json"],
  async run({ flags, globals, io }) {
    const images = listImages(globals.dataRoot);
    if (flags.boolean("json")) io.stdout(`${JSON.stringify(images)}\n`);
    else if (flags.boolean("quiet")) io.stdout(images.map(({ id }) => `${id}\n`).join(""));
    else {
      const rows = images.flatMap(({ id, tags, digests, size, since, containers }) =>
        (tags.length > 0 ? tags : digests).map((name) => [
          name,
          id.slice("sha256:".length, "sha256:".length + 12),
          formatBytes(size),
          since.slice(0, 19).replace("T", " "),
          String(containers.length),
        ]),
      );
      io.stdout(table([["NAME", "ID", "SIZE", "SINCE (UTC)", "CONTAINERS"], ...rows]));
    }
    return 0;
  },
};
