import { isatty } from "node:tty";
import { execProcess } from "../containers/exec.ts";
import { shellOf } from "../containers/launched/inside.ts";
import type { Command } from "./command.ts";

/** `shell`: look inside. */
export const command: Command = {
  name: "shell",
  summary: "run a shell in a running container: bash where there is one, else sh",
  args: "NAME",
  arity: [1, 1],
  flags: [],
  examples: ["shell web"],
  async run({ args, store, log }) {
    const [id = ""] = args;
    return await execProcess({
      store,
      log,
      id,
      process: {
        kind: "arguments",
        args: [shellOf(store, id)],
        env: [],
        additionalGids: [],
        tty: isatty(0) && isatty(1),
        capabilities: [],
        noNewPrivileges: false,
      },
      preserveFds: 0,
      detach: false,
      ignorePaused: false,
      cgroups: [],
    });
  },
};
