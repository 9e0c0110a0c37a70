import { LxcriError } from "../host/errors.ts";
import { criuFlags } from "./checkpoint-flags.ts";
import type { Command } from "./command.ts";
import {
  bundleFlag,
  consoleSocketFlag,
  detachFlag,
  noPivotFlag,
  noSubreaperFlag,
  pidFileFlag,
} from "./create-flags.ts";

/** `restore`: refused by name, as CRIU is not connected. */
export const command: Command = {
  name: "restore",
  summary: "restore a container from a checkpoint (not yet supported)",
  args: "ID",
  arity: [1, 1],
  flags: [
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
  examples: ["restore --image-path /var/lib/cp --bundle /srv/web web1"],
  async run({ args }) {
    throw new LxcriError(
      "not-supported",
      `restore of container ${JSON.stringify(args[0])}: not yet supported by this version`,
    );
  },
};
