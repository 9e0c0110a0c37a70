/** Trying again: bounded, with growing, random waits, and as long as a registry asked for. */
import { setTimeout as sleep } from "node:timers/promises";
import { RegistryError } from "./registry-error.ts";

/** How often and how fast. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** Mean wait before the second try, doubled with each, ms. */
  readonly delay: number;
  /** No wait is longer, ms. */
  readonly maxDelay: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 5, delay: 250, maxDelay: 30_000 };

/** ms to wait after the failed try number `attempt` (from 1): half fixed, half random, so that clients spread. */
export function delayAfter(attempt: number, asked: number | undefined, policy: RetryPolicy): number {
  const mean = policy.delay * 2 ** (attempt - 1);
  const jittered = mean / 2 + Math.random() * mean;
  return Math.min(Math.max(jittered, asked ?? 0), policy.maxDelay);
}

/** `Retry-After`, seconds or a date, as ms from now. */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}

/** Counts failures in a row; {@link failed} waits, or gives the error up. */
export class Retries {
  readonly #policy: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  #attempt = 0;

  constructor(policy: RetryPolicy, signal?: AbortSignal) {
    this.#policy = policy;
    this.#signal = signal;
  }

  /** Something arrived: the next failure is a first one. */
  progressed(): void {
    this.#attempt = 0;
  }

  /** Returns when it is time for the next try. @throws the error, where trying again is no use */
  async failed(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#attempt += 1;
    const again = error instanceof RegistryError && error.transient && this.#attempt < this.#policy.attempts;
    if (!again) throw error;
    const wait = delayAfter(this.#attempt, error.retryAfter, this.#policy);
    await sleep(wait, undefined, this.#signal === undefined ? {} : { signal: this.#signal });
  }
}

/** Runs `work` until it succeeds or is no use to try again. */
export async function retrying<T>(
  work: () => Promise<T>,
  policy: RetryPolicy,
  signal?: AbortSignal,
): Promise<T> {
  const retries = new Retries(policy, signal);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await retries.failed(error);
    }
  }
}
