/** `hooks`. config.md, POSIX-platform Hooks. */
import type { Hook, Hooks } from "../config.ts";
import { absolutePath, integer, text } from "../scalars.ts";
import { array, object, strings } from "../shape.ts";
import { environment } from "./process.ts";

/** Seconds: what fits a 32-bit integer, 68 years. */
const timeout = integer(1, 2 ** 31 - 1);

const list = array(
  object<Hook>({
    required: { path: absolutePath },
    optional: { args: strings(text), env: environment, timeout },
  }),
);

export const hooks = object<Hooks>({
  required: {},
  optional: {
    prestart: list,
    createRuntime: list,
    createContainer: list,
    startContainer: list,
    poststart: list,
    poststop: list,
  },
});
