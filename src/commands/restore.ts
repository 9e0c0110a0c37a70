import { LxcriError } from "../host/errors.ts";
import { criuFlags } from "./checkpoint-flags.ts";
import { meansFiles, modeFlag } from "./checkpoint-mode.ts";
import { parseCheckpointReference } from "./checkpoint-reference.ts";
import type { Command } from "./command.ts";
import {
  bundleFlag,
  consoleSocketFlag,
  detachFlag,
  noPivotFlag,
  noSubreaperFlag,
  pidFileFlag,
} from "./create-flags.ts";
import { launchedContext } from "./launched.ts";

/** `restore`: of the file system; of memory refused by name, as CRIU is not connected. */
export const command: Command = {
  name: "restore",
  summary: "put a stopped container's file system back to a checkpoint, and start it",
  args: "ID[@CHECKPOINT]",
  arity: [1, 1],
  flags: [
    modeFlag,
    {
      name: "discard-newer",
      kind: "boolean",
      summary: "lose newer snapshots where that is the only way back",
    },
    { name: "no-start", kind: "boolean", summary: "leave it stopped" },
    ...criuFlags,
    bundleFlag,
    consoleSocketFlag,
    detachFlag,
    pidFileFlag,
    noSubreaperFlag,
    noPivotFlag,
    { name: "lsm-profile", kind: "string", value: "TYPE:NAME", summary: "security profile to restore with" },
    { name: "lsm-mount-context", kind: "string", value: "CONTEXT", summary: "mount context to restore with" },
  ],
  examples: ["restore web1", "restore --discard-newer web1@1767225600"],
  async run(invocation) {
    const { args, flags, io } = invocation;
    const context = launchedContext(invocation);
    const { id, number } = parseCheckpointReference(args[0] ?? "");
    if (meansFiles(flags) && context.launched.find(id) !== undefined) {
      const { restoreFiles } = await import("../containers/checkpoint/files.ts");
      const options = {
        discardNewer: flags.boolean("discard-newer"),
        ...(number === undefined ? {} : { number }),
      };
      const restored = await restoreFiles(context, id, options);
      if (!flags.boolean("no-start")) {
        const { relaunchContainer } = await import("../containers/launched/launch.ts");
        await relaunchContainer(id, context);
      }
      io.stdout(`${id}@${restored}\n`);
      return 0;
    }
    throw new LxcriError(
      "not-supported",
      `restore of the memory of container ${JSON.stringify(id)}: not yet supported by this version`,
    );
  },
};
