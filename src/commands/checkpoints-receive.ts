import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { parseContainerId } from "../spec/container-id.ts";
import { receiveCheckpoint } from "../storage/checkpoint-stream.ts";
import { openStorage } from "../storage/storage.ts";
import type { Command } from "./command.ts";

/** `checkpoints receive`. */
export const command: Command = {
  name: "checkpoints receive",
  summary: "make a container's file system from a checkpoint that was sent",
  description: "`-` is standard input.",
  args: "NAME FILE",
  arity: [2, 2],
  flags: [],
  examples: ["checkpoints receive web web.checkpoint"],
  async run({ args, globals, io }) {
    const id = parseContainerId(args[0] ?? "");
    const source =
      args[1] === "-" ? createReadStream("", { fd: 0 }) : createReadStream(resolve(io.cwd, args[1] ?? ""));
    const { header } = await receiveCheckpoint(openStorage(globals.dataRoot), id, source);
    io.stdout(`${id}@${header.number}\n`);
    return 0;
  },
};
