/** The hooks that run when a container has gone; native/start.c runs those that follow its start. */
import { addHooks, stateTail } from "../lxc/hook-plan.ts";
import { runNative } from "../lxc/native.ts";
import { Plan } from "../lxc/plan.ts";
import type { Hook } from "../spec/config.ts";
import type { Logger } from "../telemetry/log.ts";
import type { ContainerState } from "./state.ts";

/** Runs poststop hooks in order with the state on their standard input; each that fails is a warning. */
export function runPoststop(hooks: readonly Hook[] | undefined, state: ContainerState, log: Logger): void {
  if (hooks === undefined || hooks.length === 0) return;
  const plan = new Plan()
    .add("kind", "poststop")
    .add("status", state.status)
    .add("pid", state.pid)
    .add("state", stateTail({ ...state, annotations: state.annotations ?? {} }));
  addHooks(plan, "poststop", hooks, state.bundle);
  for (const warning of runNative("hooks", plan).warnings) log.warning(warning);
}
