/** Flags of the commands that talk to registries. */
import { resolve } from "node:path";
import type { RegistrySettings } from "../images/registry/client.ts";
import { defaultAuthFiles } from "../images/registry/credentials.ts";
import { DEFAULT_CERTS_DIRS } from "../images/registry/hosts.ts";
import type { Flag, Invocation } from "./command.ts";
import { UsageError } from "./usage-error.ts";

export const insecureFlag: Flag = {
  name: "insecure",
  kind: "boolean",
  summary: "allow a registry without TLS that is not on loopback",
};

export const authFileFlag: Flag = {
  name: "authfile",
  kind: "string",
  value: "FILE",
  summary: "file with credentials, in place of those of podman and Docker",
};

export const registryFlags: readonly Flag[] = [
  insecureFlag,
  { name: "creds", kind: "string", value: "USER:PASSWORD", summary: "credentials for the registry" },
  authFileFlag,
  {
    name: "certs-dir",
    kind: "list",
    value: "DIR",
    summary: `folder with <registry>/hosts.toml and certificates (default ${DEFAULT_CERTS_DIRS.join(", ")})`,
  },
];

/** The files that credentials are looked for in. */
export function authFiles({ flags, io }: Pick<Invocation, "flags" | "io">): readonly string[] {
  const file = flags.string("authfile");
  return file === undefined ? defaultAuthFiles(io.env) : [resolve(io.cwd, file)];
}

/** @throws UsageError */
export function registrySettings(invocation: Pick<Invocation, "flags" | "io">): RegistrySettings {
  const { flags, io } = invocation;
  const creds = flags.string("creds");
  const colon = creds?.indexOf(":") ?? -1;
  if (creds !== undefined && colon < 1) throw new UsageError("--creds must be USER:PASSWORD");
  const dirs = flags.list("certs-dir").map((dir) => resolve(io.cwd, dir));
  return {
    insecure: flags.boolean("insecure"),
    authFiles: authFiles(invocation),
    ...(dirs.length === 0 ? {} : { certsDirs: dirs }),
    ...(creds === undefined
      ? {}
      : {
          credentials: { kind: "basic", username: creds.slice(0, colon), password: creds.slice(colon + 1) },
        }),
  };
}
