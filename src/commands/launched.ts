/** What the commands for launched containers share. */
import { ownProgram } from "../containers/launched/conmon.ts";

import { LaunchedStore } from "../containers/launched/record.ts";
import type { LaunchedContext } from "../containers/launched/remove.ts";
import type { Flag, Invocation } from "./command.ts";

/** `--json`: for programs. */
export const jsonFlag: Flag = { name: "json", kind: "boolean", summary: "print JSON, for programs" };

/** Where the invocation's containers are. */
export const launchedContext = ({ globals, store, log }: Invocation): LaunchedContext => ({
  launched: new LaunchedStore(globals.dataRoot),
  store,
  log,
  program: ownProgram(),
});
