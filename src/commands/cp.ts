import { resolve } from "node:path";
import { type CopyEnd, copyFiles } from "../containers/launched/copy.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";
import { UsageError } from "./usage-error.ts";

/** `cp`: files into and out of containers. */
export const command: Command = {
  name: "cp",
  summary: "copy files and folders between the host and a container",
  description: `One of both is NAME:PATH. Files belong to root of where they come to. SOURCE/. means what is in the
folder. Links are copied as links, and nothing outside the container's root is ever read or written.`,
  args: "SOURCE TARGET",
  arity: [2, 2],
  flags: [],
  examples: ["cp web:/etc/nginx ./nginx", "cp ./site/. web:/var/www"],
  async run(invocation) {
    const { args, io, log } = invocation;
    const [from, to] = [args[0] ?? "", args[1] ?? ""].map((text) => parseEnd(text, io.cwd));
    if (
      from === undefined ||
      to === undefined ||
      (from.container === undefined) === (to.container === undefined)
    ) {
      throw new UsageError("cp: one of SOURCE and TARGET must be NAME:PATH, the other a path of the host");
    }
    await copyFiles(launchedContext(invocation), from, to, {
      skipped: (path) => log.warning(`cp: ${path}: left out: neither file, folder nor link`),
      ...(io.signal === undefined ? {} : { signal: io.signal }),
    });
    return 0;
  },
};

/** A path that begins with `/` or `.` is the host's, whatever colons it has. */
function parseEnd(text: string, cwd: string): CopyEnd {
  if (text === "") throw new UsageError("cp: a path must not be empty");
  const match = /^([a-zA-Z0-9][^/:]*):(.*)$/s.exec(text);
  // resolve takes off what says "folder" and "content".
  const end = /\/\.?$/.exec(text)?.[0] ?? "";
  if (match === null) return { path: withEnd(resolve(cwd, text), end) };
  return { container: match[1] ?? "", path: withEnd(resolve("/", match[2] ?? ""), end) };
}

const withEnd = (path: string, end: string): string => (path.endsWith("/") ? path : `${path}${end}`);
