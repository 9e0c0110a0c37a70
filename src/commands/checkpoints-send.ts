import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { sendCheckpoint } from "../storage/checkpoint-stream.ts";
import { Checkpoints } from "../storage/checkpoints.ts";
import { openStorage } from "../storage/storage.ts";
import { parseCheckpointReference } from "./checkpoint-reference.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `checkpoints send`. */
export const command: Command = {
  name: "checkpoints send",
  summary: "write a checkpoint to a file, to travel",
  description: "The latest where no number is said. `-` is standard output.",
  args: "CONTAINER[@CHECKPOINT] FILE",
  arity: [2, 2],
  flags: [],
  examples: ["checkpoints send web web.checkpoint", "checkpoints send web@1767225600 - | ssh other …"],
  async run(invocation) {
    const { args, globals, io } = invocation;
    const { id, number } = parseCheckpointReference(args[0] ?? "");
    const checkpoints = new Checkpoints(openStorage(globals.dataRoot));
    const container = launchedContext(invocation).launched.find(id) ?? null;
    const asked = { container, ...(number === undefined ? {} : { number }) };
    const path = args[1] === "-" ? undefined : resolve(io.cwd, args[1] ?? "");
    const fd = path === undefined ? 1 : openSync(path, "wx", 0o600);
    try {
      await sendCheckpoint(checkpoints, id, asked, (bytes) => {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      });
    } catch (error) {
      if (path !== undefined) rmSync(path, { force: true });
      throw error;
    } finally {
      if (path !== undefined) closeSync(fd);
    }
    return 0;
  },
};
