import { listVolumes } from "../containers/launched/volume-catalog.ts";
import type { Command } from "./command.ts";
import { jsonFlag, launchedContext } from "./launched.ts";
import { table } from "./table.ts";

/** `volume ls`. */
export const command: Command = {
  name: "volume ls",
  summary: "list volumes",
  args: "",
  arity: [0, 0],
  flags: [{ name: "quiet", short: "q", kind: "boolean", summary: "print names only" }, jsonFlag],
  examples: ["volume ls"],
  async run(invocation) {
    const { flags, io } = invocation;
    const volumes = listVolumes(launchedContext(invocation).launched);
    if (flags.boolean("json")) io.stdout(`${JSON.stringify(volumes)}\n`);
    else if (flags.boolean("quiet")) io.stdout(volumes.map(({ name }) => `${name}\n`).join(""));
    else {
      const rows = volumes.map(({ name, created, containers }) => [
        name,
        created.slice(0, 19).replace("T", " "),
        containers.join(", "),
      ]);
      io.stdout(table([["NAME", "CREATED (UTC)", "CONTAINERS"], ...rows]));
    }
    return 0;
  },
};
