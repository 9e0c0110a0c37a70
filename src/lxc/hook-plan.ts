/** Hooks, and the state that they and seccomp agents are told. Pure. */
import type { Hook } from "../spec/config.ts";
import { Plan } from "./plan.ts";

/** The state's JSON from after its opening brace; pid and status are put before it by who knows them. */
export const stateTail = (state: {
  readonly ociVersion: string;
  readonly id: string;
  readonly bundle: string;
  readonly annotations: Readonly<Record<string, string>>;
}): string =>
  JSON.stringify({
    ociVersion: state.ociVersion,
    id: state.id,
    bundle: state.bundle,
    annotations: state.annotations,
  }).slice(1);

/** Hooks of one kind as records; those of the runtime's namespace run in the bundle, as runc has it. */
export function addHooks(plan: Plan, kind: string, hooks: readonly Hook[] | undefined, cwd?: string): void {
  for (const { path, args, env, timeout } of hooks ?? []) {
    plan.add(
      "hook",
      new Plan()
        .add("kind", kind)
        .add("path", path)
        .addAll("arg", args)
        .addAll("env", env)
        .add("timeout", timeout)
        .add("cwd", cwd),
    );
  }
}
