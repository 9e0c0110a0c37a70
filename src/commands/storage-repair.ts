import { repair } from "../storage/repair.ts";
import { openStorage } from "../storage/storage.ts";
import type { Command } from "./command.ts";
import { jsonFlag } from "./launched.ts";

/** `storage repair`. */
export const command: Command = {
  name: "storage repair",
  summary: "put right what kills and lost volumes left",
  description: "Exit code 1 where something is wrong that cannot be put right, or was not for --dry-run.",
  args: "",
  arity: [0, 0],
  flags: [{ name: "dry-run", short: "n", kind: "boolean", summary: "only say what is wrong" }, jsonFlag],
  examples: ["storage repair --dry-run", "storage repair"],
  async run({ flags, globals, io }) {
    const findings = await repair(openStorage(globals.dataRoot), { dryRun: flags.boolean("dry-run") });
    if (flags.boolean("json")) io.stdout(`${JSON.stringify(findings)}\n`);
    else {
      const lines = findings.map(
        (each) => `${each.kind} ${each.subject}${each.repaired ? ": repaired" : ""}`,
      );
      io.stdout(`${lines.length === 0 ? "Nothing is wrong." : lines.join("\n")}\n`);
    }
    return findings.every((each) => each.repaired) ? 0 : 1;
  },
};
