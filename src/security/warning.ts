/**
 * What this room hands back beside a decision. The room `security` turns a container's request and what this
 * node can do into what the kernel enforces; it decides and probes, it applies nothing. It may call `spec` and
 * `host` only.
 */

/** A request that was granted only in part, with the reason: to be logged, never to be dropped. */
export interface Warning {
  /** Stable and kebab-case, as an error's code. */
  readonly code: string;
  /** Names the thing, what was done to it, and why. */
  readonly message: string;
}

/** A decision with the warnings that go with it. */
export interface Decision<T> {
  readonly value: T;
  readonly warnings: readonly Warning[];
}
