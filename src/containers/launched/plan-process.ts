/** What runs in a launched container: the image's config and the person's words, merged as Docker does. Pure. */
import { posix } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import type { LaunchImage, LaunchRequest } from "./request.ts";
import type { ResolvedUser } from "./users.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The command line: entrypoint, then arguments. The person's arguments replace the image's Cmd; the person's
 * entrypoint replaces the image's, and then its Cmd, which was meant for another program, is not used.
 * @throws LxcriError `command-missing`
 */
export function planArguments(
  image: LaunchImage,
  request: Pick<LaunchRequest, "command" | "entrypoint">,
): readonly [string, ...string[]] {
  const entrypoint = request.entrypoint ?? image.config.Entrypoint ?? [];
  const fallback = request.entrypoint === undefined ? (image.config.Cmd ?? []) : [];
  const [first, ...rest] = [...entrypoint, ...(request.command.length > 0 ? request.command : fallback)];
  if (first !== undefined && first !== "") return [first, ...rest];
  throw new LxcriError("command-missing", `${image.name}: the image names no command to run`, {
    fix: "Give one after the image's name.",
  });
}

/** Later ones win; the first mention decides the place. */
function mergeEnvironment(...lists: readonly (readonly string[])[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of lists.flat()) {
    const equals = entry.indexOf("=");
    if (equals > 0) merged.set(entry.slice(0, equals), entry);
  }
  return [...merged.values()];
}

/** The environment: what every program may expect, the image's, the person's. */
export function planEnvironment(
  image: LaunchImage,
  request: Pick<LaunchRequest, "env" | "tty">,
  around: { readonly user: ResolvedUser; readonly hostname: string },
): string[] {
  return mergeEnvironment(
    [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${around.hostname}`, `HOME=${around.user.home}`],
    request.tty ? ["TERM=xterm"] : [],
    // systemd and others look for it, to know where they are.
    image.kind === "system" ? ["container=lxc"] : [],
    image.config.Env,
    request.env,
  );
}

/** The working directory: absolute, `/` where nobody says one. */
export const planDirectory = (image: LaunchImage, request: Pick<LaunchRequest, "workdir">): string =>
  posix.resolve("/", request.workdir ?? image.config.WorkingDir);
