/** A command line that was not understood; the program answers it with a usage line and exit code 1. */
import { LxcriError } from "../host/errors.ts";

/** Code `usage`. */
export class UsageError extends LxcriError {
  constructor(message: string, fix?: string) {
    super("usage", message, fix === undefined ? {} : { fix });
  }
}
