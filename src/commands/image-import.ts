import { isatty } from "node:tty";
import { pullImage } from "../images/obtain.ts";
import { parseImageSource } from "../images/reference.ts";
import type { Command } from "./command.ts";
import { ProgressView } from "./image-progress.ts";
import { jsonFlag } from "./launched.ts";
import { UsageError } from "./usage-error.ts";

/** `image import`. */
export const command: Command = {
  name: "image import",
  summary: "take an image from a file or folder",
  description: `SOURCE is oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], or tar:FILE, a Proxmox VE
container template or other root file system, which becomes an image of one layer. Without NAME the image has
the name that the source gives it.`,
  args: "SOURCE [NAME]",
  arity: [1, 2],
  flags: [jsonFlag],
  examples: ["image import docker-archive:app.tar.gz", "image import oci:/srv/layout:v1 local/app:1"],
  async run({ args, flags, globals, io }) {
    const [text = "", name] = args;
    const source = parseImageSource(text);
    if (source.kind === "registry") {
      throw new UsageError(`${JSON.stringify(text)} is no file or folder`, "`image pull` takes references.");
    }
    using view = new ProgressView(flags.boolean("json") ? () => {} : io.stderr, isatty(2));
    const image = await pullImage(source, {
      dataRoot: globals.dataRoot,
      progress: view.report,
      ...(name === undefined ? {} : { name }),
      ...(io.signal === undefined ? {} : { signal: io.signal }),
    });
    const { id, digest } = image;
    io.stdout(flags.boolean("json") ? `${JSON.stringify({ id, digest })}\n` : `${id}\n`);
    return 0;
  },
};
