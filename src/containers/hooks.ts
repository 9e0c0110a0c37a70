/** Hooks that run after the container's own set-up: poststart and poststop. They can only warn. */
import { addHooks, stateTail } from "../lxc/create-plan.ts";
import { runNative } from "../lxc/native.ts";
import { Plan } from "../lxc/plan.ts";
import type { Hook } from "../spec/config.ts";
import type { Logger } from "../telemetry/log.ts";
import type { ContainerState } from "./state.ts";

/** Runs the hooks in order with the state on their standard input; each that fails is a warning. */
export function runHooks(
  kind: "poststart" | "poststop",
  hooks: readonly Hook[] | undefined,
  state: ContainerState,
  log: Logger,
): void {
  if (hooks === undefined || hooks.length === 0) return;
  const plan = new Plan()
    .add("kind", kind)
    .add("status", state.status)
    .add("pid", state.pid)
    .add("state", stateTail({ ...state, annotations: state.annotations ?? {} }));
  addHooks(plan, kind, hooks, state.bundle);
  for (const warning of runNative("hooks", plan).warnings) log.warning(warning);
}
