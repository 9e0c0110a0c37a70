/** All commands by name, each loaded when it is called: start-up is the budget. */
import type { Command, CommandGroup, CommandLoader } from "./command.ts";

const loaders: Readonly<Record<string, CommandLoader>> = {
  attach: () => import("./attach.ts"),
  checkpoint: () => import("./checkpoint.ts"),
  checkpoints: () => import("./checkpoints.ts"),
  cp: () => import("./cp.ts"),
  create: () => import("./create.ts"),
  delete: () => import("./delete.ts"),
  events: () => import("./events.ts"),
  exec: () => import("./exec.ts"),
  features: () => import("./features.ts"),
  image: () => import("./image.ts"),
  inspect: () => import("./inspect.ts"),
  kill: () => import("./kill.ts"),
  launch: () => import("./launch.ts"),
  list: () => import("./list.ts"),
  logs: () => import("./logs.ts"),
  pause: () => import("./pause.ts"),
  ps: () => import("./ps.ts"),
  rename: () => import("./rename.ts"),
  restore: () => import("./restore.ts"),
  resume: () => import("./resume.ts"),
  rm: () => import("./rm.ts"),
  run: () => import("./run.ts"),
  shell: () => import("./shell.ts"),
  spec: () => import("./spec.ts"),
  start: () => import("./start.ts"),
  state: () => import("./state.ts"),
  stats: () => import("./stats.ts"),
  stop: () => import("./stop.ts"),
  storage: () => import("./storage.ts"),
  top: () => import("./top.ts"),
  update: () => import("./update.ts"),
  volume: () => import("./volume.ts"),
  wait: () => import("./wait.ts"),
};

/** In the order of the help page. */
export const commandNames: readonly string[] = Object.keys(loaders);

/** The command or group of this name; undefined where there is none. */
export async function loadCommand(name: string): Promise<Command | CommandGroup | undefined> {
  if (!Object.hasOwn(loaders, name)) return undefined;
  return (await loaders[name]?.())?.command;
}
