import { type ContainerState, listStates } from "../containers/state.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";

/** `list`: all containers of this root, in runc's table or JSON. */
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
    { name: "quiet", short: "q", kind: "boolean", summary: "print ids only" },
  ],
  examples: ["list", "list --format json", "--root /run/other list -q"],
  async run({ flags, store, io, log }) {
    if (flags.boolean("quiet")) {
      io.stdout(
        store
          .list()
          .map((id) => `${id}\n`)
          .join(""),
      );
      return 0;
    }
    const states = listStates(store, log);
    const json = flags.string("format") === "json";
    io.stdout(
      json
        ? `${JSON.stringify(states.map((state) => ({ ...state, pid: state.pid ?? 0 })))}\n`
        : asTable(states),
    );
    return 0;
  },
};

const asTable = (states: readonly ContainerState[]): string =>
  table([
    ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
    ...states.map((state) => [
      state.id,
      String(state.pid ?? 0),
      state.status,
      state.bundle,
      state.created,
      state.owner,
    ]),
  ]);
