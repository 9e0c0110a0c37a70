import { resolve } from "node:path";
import { login } from "../images/registry/login.ts";
import type { Command } from "./command.ts";
import { registryFlags, registrySettings } from "./image-registry.ts";
import { UsageError } from "./usage-error.ts";

/** `image login`. */
export const command: Command = {
  name: "image login",
  summary: "check credentials with a registry and keep them",
  description: `They are kept in --authfile, $REGISTRY_AUTH_FILE, or /etc/containers/auth.json, readable for root only,
where podman, skopeo and CRI-O look, too.`,
  args: "REGISTRY",
  arity: [1, 1],
  flags: [
    { name: "username", short: "u", kind: "string", value: "NAME", summary: "who to be" },
    {
      name: "password",
      short: "p",
      kind: "string",
      value: "TEXT",
      summary: "seen by everybody on this host",
    },
    { name: "password-stdin", kind: "boolean", summary: "read the password from standard input" },
    ...registryFlags.filter(({ name }) => name !== "creds"),
  ],
  examples: ["image login --username me --password-stdin registry.example.org"],
  async run(invocation) {
    const { args, flags, io } = invocation;
    const username = flags.string("username");
    const stdin = flags.boolean("password-stdin");
    if (username === undefined || username === "") throw new UsageError("--username is needed");
    const password = stdin ? (await io.stdin()).replace(/\r?\n$/, "") : flags.string("password");
    if (password === undefined) throw new UsageError("--password-stdin or --password is needed");
    const file = flags.string("authfile") ?? io.env.REGISTRY_AUTH_FILE;
    const path = await login(
      args[0] ?? "",
      { kind: "basic", username, password },
      registrySettings(invocation),
      {
        ...(file === undefined ? {} : { file: resolve(io.cwd, file) }),
        ...(io.signal === undefined ? {} : { signal: io.signal }),
      },
    );
    io.stdout(`logged in; kept in ${path}\n`);
    return 0;
  },
};
