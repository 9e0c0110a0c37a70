/** The one error type of the house and its guards. Lowest room: everything may import it. */

/** What a {@link LxcriError} carries beside its message. */
export interface ErrorDetails {
  /** What went wrong underneath. */
  readonly cause?: unknown;
  /** What the user can do about it, one sentence. */
  readonly fix?: string;
}

/**
 * An error that a user may see. `code` is stable and kebab-case (`container-not-found`); `message` names the
 * thing, the operation and the cause. Rooms subclass it where callers must tell kinds apart.
 */
export class LxcriError extends Error {
  readonly code: string;
  readonly fix: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.fix = details.fix;
  }
}

/** A failed system call: `code` is `system-<errno name>` in lower case, e.g. `system-enoent`. */
export class SystemError extends LxcriError {
  /** Errno name as in errno(3), e.g. `ENOENT`. */
  readonly errno: string;

  constructor(syscall: string, errno: string, text: string, subject?: string) {
    super(
      `system-${errno.toLowerCase()}`,
      `${syscall}${subject === undefined ? "" : ` ${subject}`}: ${text}`,
    );
    this.errno = errno;
  }
}

/** Errno name of a {@link SystemError} or of an error that Node's fs threw; undefined for all others. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof SystemError) return error.errno;
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

/** True where the error means that a file, directory or process is not there. */
export const isMissing = (error: unknown): boolean => {
  const errno = errnoOf(error);
  return errno === "ENOENT" || errno === "ESRCH" || errno === "ENOTDIR";
};

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
