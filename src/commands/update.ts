import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { updateContainer } from "../containers/update.ts";
import type { IntelRdt, Resources } from "../spec/config.ts";
import { faultText, parseResources } from "../spec/parse.ts";
import { recordEvent } from "../telemetry/events.ts";
import type { Command, FlagValues, Invocation } from "./command.ts";
import { resourcesOf, updateFlags } from "./update-flags.ts";
import { UsageError } from "./usage-error.ts";

/** `update`: other limits for a container. */
export const command: Command = {
  name: "update",
  summary: "change the resource limits of a container",
  description: "What is not given stays as it is. With --resources all other flags are ignored.",
  args: "ID",
  arity: [1, 1],
  flags: [
    {
      name: "resources",
      short: "r",
      kind: "string",
      value: "FILE",
      summary: "the limits as OCI resources in JSON; - reads standard input",
    },
    ...updateFlags,
    { name: "l3-cache-schema", kind: "string", value: "SCHEMA", summary: "Intel RDT L3 cache schema" },
    { name: "mem-bw-schema", kind: "string", value: "SCHEMA", summary: "Intel RDT memory bandwidth schema" },
  ],
  examples: [
    "update --memory 512m --pids-limit 200 web1",
    "update --cpu-quota 50000 --cpu-period 100000 web1",
    "update --resources - web1",
  ],
  async run(invocation) {
    const { args, flags, store, log } = invocation;
    const [id = ""] = args;
    const file = flags.string("resources");
    const resources = file === undefined ? resourcesOf(flags) : await readResources(invocation, file);
    const intelRdt = file === undefined ? rdtOf(flags) : undefined;
    if (Object.keys(resources).length === 0 && intelRdt === undefined && file === undefined) {
      throw new UsageError("nothing to update: give --resources or at least one limit");
    }
    await updateContainer({ store, id, log }, { resources, ...(intelRdt === undefined ? {} : { intelRdt }) });
    recordEvent(store.eventsPath, { type: "update", id });
    return 0;
  },
};

async function readResources({ io, log }: Invocation, file: string): Promise<Resources> {
  const text = file === "-" ? await io.stdin() : readFileSync(resolve(io.cwd, file), "utf8");
  const { resources, warnings } = parseResources(text);
  for (const warning of warnings) log.warning(faultText(warning));
  return resources;
}

function rdtOf(flags: FlagValues): IntelRdt | undefined {
  const l3CacheSchema = flags.string("l3-cache-schema");
  const memBwSchema = flags.string("mem-bw-schema");
  if (l3CacheSchema === undefined && memBwSchema === undefined) return undefined;
  return {
    ...(l3CacheSchema === undefined ? {} : { l3CacheSchema }),
    ...(memBwSchema === undefined ? {} : { memBwSchema }),
  };
}
