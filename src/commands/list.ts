import { type ContainerState, listStates } from "../containers/state.ts";
import type { Command, Invocation } from "./command.ts";
import { table } from "./table.ts";

/** A container of this root; `image` and `exitCode` of a launched one. */
type Listed = ContainerState & { readonly image?: string; readonly exitCode?: number };

/** `list`: all containers of this root, in runc's table or JSON; launched ones with their image, also when stopped. */
export const command: Command = {
  name: "list",
  summary: "list the containers",
  args: "",
  arity: [0, 0],
  flags: [
    {
      name: "format",
      short: "f",
      kind: "string",
      value: "FORMAT",
      summary: "form of the list",
      choices: ["table", "json"],
    },
    { name: "json", kind: "boolean", summary: "the same as --format json" },
    { name: "quiet", short: "q", kind: "boolean", summary: "print ids only" },
  ],
  examples: ["list", "list --format json", "--root /run/other list -q"],
  async run(invocation) {
    const { flags, io } = invocation;
    const states = await listAll(invocation);
    if (flags.boolean("quiet")) io.stdout(states.map(({ id }) => `${id}\n`).join(""));
    else if (flags.boolean("json") || flags.string("format") === "json") {
      io.stdout(`${JSON.stringify(states.map((state) => ({ ...state, pid: state.pid ?? 0 })))}\n`);
    } else io.stdout(asTable(states));
    return 0;
  },
};

async function listAll({ store, log, globals }: Invocation): Promise<readonly Listed[]> {
  const states = new Map<string, Listed>(listStates(store, log).map((state) => [state.id, state]));
  const { LaunchedStore } = await import("../containers/launched/record.ts");
  const { stateOfLaunched } = await import("../containers/launched/status.ts");
  const launched = new LaunchedStore(globals.dataRoot);
  for (const record of launched.list()) {
    if (record.root !== store.root) continue;
    const { status, exitCode, bundle, created, image } = stateOfLaunched(launched, record);
    const runtime = states.get(record.name);
    states.set(record.name, {
      ociVersion: "",
      annotations: record.labels,
      rootfs: `${launched.folder(record.name)}/rootfs`,
      owner: "root",
      bundle,
      ...runtime,
      id: record.name,
      status: status === "preparing" ? "creating" : status,
      created,
      image,
      ...(exitCode === undefined ? {} : { exitCode }),
    });
  }
  return [...states.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** runc's columns, and the image where there is a launched one. */
function asTable(states: readonly Listed[]): string {
  const images = states.some(({ image }) => image !== undefined);
  return table([
    ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", ...(images ? ["IMAGE"] : [])],
    ...states.map((state) => [
      state.id,
      String(state.pid ?? 0),
      state.exitCode === undefined ? state.status : `${state.status} (${state.exitCode})`,
      state.bundle,
      state.created,
      state.owner,
      ...(images ? [state.image ?? ""] : []),
    ]),
  ]);
}
