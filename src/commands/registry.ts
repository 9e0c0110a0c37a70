/** All commands by name, each loaded when it is called: start-up is the budget. */
import type { Command } from "./command.ts";

const loaders: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  checkpoint: () => import("./checkpoint.ts"),
  create: () => import("./create.ts"),
  delete: () => import("./delete.ts"),
  events: () => import("./events.ts"),
  exec: () => import("./exec.ts"),
  features: () => import("./features.ts"),
  kill: () => import("./kill.ts"),
  list: () => import("./list.ts"),
  pause: () => import("./pause.ts"),
  ps: () => import("./ps.ts"),
  restore: () => import("./restore.ts"),
  resume: () => import("./resume.ts"),
  run: () => import("./run.ts"),
  spec: () => import("./spec.ts"),
  start: () => import("./start.ts"),
  state: () => import("./state.ts"),
  update: () => import("./update.ts"),
};

/** In the order of the help page. */
export const commandNames: readonly string[] = Object.keys(loaders);

/** The command of this name; undefined where there is none. */
export async function loadCommand(name: string): Promise<Command | undefined> {
  if (!Object.hasOwn(loaders, name)) return undefined;
  return (await loaders[name]?.())?.command;
}
