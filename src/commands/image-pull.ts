import { isatty } from "node:tty";
import { pullImage } from "../images/obtain.ts";
import { parsePlatform } from "../images/platform.ts";
import { parseReference } from "../images/reference.ts";
import type { Command } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { ProgressView } from "./image-progress.ts";
import { registryFlags, registrySettings } from "./image-registry.ts";
import { jsonFlag } from "./launched.ts";

/** `image pull`. */
export const command: Command = {
  name: "image pull",
  summary: "fetch an image from a registry and unpack it",
  description: `Only what is missing is fetched. The policy of /etc/containers/policy.json is honoured, signatures by
cosign are verified where it asks for them.`,
  args: "REFERENCE",
  arity: [1, 1],
  flags: [
    { name: "platform", kind: "string", value: "OS/ARCH[/VARIANT]", summary: "default: this machine's" },
    {
      name: "max-age",
      kind: "string",
      value: "DURATION",
      summary: "do not ask the registry if it was asked no longer ago than this, e.g. 10m",
    },
    { name: "quiet", short: "q", kind: "boolean", summary: "print the image's id only" },
    ...registryFlags,
    jsonFlag,
  ],
  examples: ["image pull debian:12", "image pull --creds me:secret registry.example.org/team/app@sha256:…"],
  async run(invocation) {
    const { args, flags, globals, io } = invocation;
    const silent = flags.boolean("quiet") || flags.boolean("json");
    using view = new ProgressView(silent ? () => {} : io.stderr, isatty(2));
    const platform = flags.string("platform");
    const age = flags.string("max-age");
    const image = await pullImage(
      { kind: "registry", reference: parseReference(args[0] ?? "") },
      {
        ...registrySettings(invocation),
        dataRoot: globals.dataRoot,
        progress: view.report,
        ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
        ...(age === undefined ? {} : { tagLifetime: parseDuration(age) }),
        ...(io.signal === undefined ? {} : { signal: io.signal }),
      },
    );
    const { name, id, digest } = image;
    io.stdout(flags.boolean("json") ? `${JSON.stringify({ name, id, digest })}\n` : `${id}\n`);
    return 0;
  },
};
