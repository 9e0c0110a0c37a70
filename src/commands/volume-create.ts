import { createVolume } from "../containers/launched/volume-catalog.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `volume create`. */
export const command: Command = {
  name: "volume create",
  summary: "make empty volumes",
  description: `\`launch --volume NAME:/path\` also makes a volume, which then begins with what the image has there.
One that is there already is left alone.`,
  args: "NAME...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: "privileged", kind: "boolean", summary: "owned by the host's root, for privileged containers" },
  ],
  examples: ["volume create dbdata"],
  async run(invocation) {
    const { launched } = launchedContext(invocation);
    for (const name of invocation.args) {
      createVolume(launched, name, invocation.flags.boolean("privileged"));
      invocation.io.stdout(`${name}\n`);
    }
    return 0;
  },
};
