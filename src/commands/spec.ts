import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { errnoOf, LxcriError } from "../host/errors.ts";
import { defaultConfig } from "../spec/default-config.ts";
import type { Command } from "./command.ts";

/** `spec`: a config.json to begin with. */
export const command: Command = {
  name: "spec",
  summary: "write a config.json to begin with",
  description:
    "It runs sh on a terminal, in the bundle's folder rootfs. Edit it to your needs; it is never overwritten.",
  args: "",
  arity: [0, 0],
  flags: [
    {
      name: "bundle",
      short: "b",
      kind: "string",
      value: "DIR",
      summary: "folder of the bundle (default: the current one)",
    },
  ],
  examples: ["spec", "spec --bundle /srv/web"],
  async run({ flags, io }) {
    const path = resolve(io.cwd, flags.string("bundle") ?? ".", "config.json");
    try {
      writeFileSync(path, `${JSON.stringify(defaultConfig(), undefined, 2)}\n`, { flag: "wx", mode: 0o666 });
    } catch (cause) {
      if (errnoOf(cause) !== "EEXIST") throw cause;
      throw new LxcriError("file-exists", `file ${path} exists. Remove it first`, { cause });
    }
    return 0;
  },
};
