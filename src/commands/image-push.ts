import { isatty } from "node:tty";
import { pushImage } from "../images/push.ts";
import type { Command } from "./command.ts";
import { ProgressView } from "./image-progress.ts";
import { registryFlags, registrySettings } from "./image-registry.ts";
import { jsonFlag } from "./launched.ts";

/** `image push`. */
export const command: Command = {
  name: "image push",
  summary: "send an image to a registry",
  description: `IMAGE is a local image, or oci:DIR[:TAG], whose signatures and other referrers in the layout go along.
Blobs that the registry has, also in another repository that we know of, are not sent.`,
  args: "IMAGE [REFERENCE]",
  arity: [1, 2],
  flags: [
    { name: "quiet", short: "q", kind: "boolean", summary: "print the digest only" },
    ...registryFlags,
    jsonFlag,
  ],
  examples: [
    "image push registry.example.org/app:2",
    "image push oci:/srv/layout:v1 registry.example.org/app:1",
  ],
  async run(invocation) {
    const { args, flags, globals, io } = invocation;
    const silent = flags.boolean("quiet") || flags.boolean("json");
    const [source = "", destination = source] = args;
    using view = new ProgressView(silent ? () => {} : io.stderr, isatty(2));
    const pushed = await pushImage(source, destination, {
      ...registrySettings(invocation),
      dataRoot: globals.dataRoot,
      progress: (event) => view.report({ kind: "push", ...event }),
      ...(io.signal === undefined ? {} : { signal: io.signal }),
    });
    io.stdout(flags.boolean("json") ? `${JSON.stringify(pushed)}\n` : `${pushed.digest}\n`);
    return 0;
  },
};
