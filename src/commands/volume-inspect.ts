import { findVolume, volumeBytes } from "../containers/launched/volume-catalog.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `volume inspect`. */
export const command: Command = {
  name: "volume inspect",
  summary: "print all that is known of volumes, as JSON",
  args: "NAME...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [],
  examples: ["volume inspect dbdata"],
  async run(invocation) {
    const { launched } = launchedContext(invocation);
    const volumes = invocation.args.map((name) => findVolume(launched, name));
    const found = await Promise.all(
      volumes.map(async (volume) => ({ ...volume, bytes: await volumeBytes(volume) })),
    );
    invocation.io.stdout(`${JSON.stringify(found, undefined, 2)}\n`);
    return 0;
  },
};
