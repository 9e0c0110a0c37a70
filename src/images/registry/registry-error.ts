import { LxcriError } from "../../host/errors.ts";

/**
 * What went wrong with a registry. Codes: `image-not-found`, `registry-unauthorized`, `registry-unreachable`,
 * `registry-timeout`, `registry-failed`, `registry-answer-invalid`, `registry-too-large`.
 */
export class RegistryError extends LxcriError {
  /** Another try may succeed. */
  readonly transient: boolean;
  /** Wait that the registry asked for, ms. */
  readonly retryAfter: number | undefined;

  constructor(
    code: string,
    message: string,
    details: { cause?: unknown; fix?: string; transient?: boolean; retryAfter?: number } = {},
  ) {
    super(code, message, details);
    this.transient = details.transient ?? false;
    this.retryAfter = details.retryAfter;
  }
}
