/**
 * Credentials for registries: `config.json` of Docker, `auth.json` of podman and skopeo, and the helper programs that
 * both name; containers-auth.json(5), docker-credential-helpers.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError, messageOf } from "../../host/errors.ts";
import { run } from "../../host/process.ts";

/** Who to be. */
export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** Exchanged for tokens; OAuth's refresh token. */
  | { readonly kind: "identity"; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: "bearer"; readonly token: string };

/** An auth file's content, as far as it concerns us. */
interface AuthFile {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

interface AuthEntry {
  readonly auth?: string;
  readonly identitytoken?: string;
}

/** Docker Hub's credentials are kept under its first address. */
const HUB_KEY = "https://index.docker.io/v1/";
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** ms */
const HELPER_TIMEOUT = 30_000;

/** Where credentials are looked for, in this order. */
export function defaultAuthFiles(env: Readonly<Record<string, string | undefined>>): string[] {
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, DOCKER_CONFIG, HOME } = env;
  if (REGISTRY_AUTH_FILE) return [REGISTRY_AUTH_FILE];
  const config = XDG_CONFIG_HOME ?? (HOME === undefined ? undefined : join(HOME, ".config"));
  const docker = DOCKER_CONFIG ?? (HOME === undefined ? undefined : join(HOME, ".docker"));
  return [
    ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, "containers/auth.json")] : []),
    "/run/containers/0/auth.json",
    ...(config === undefined ? [] : [join(config, "containers/auth.json")]),
    ...(docker === undefined ? [] : [join(docker, "config.json")]),
    "/etc/containers/auth.json",
  ];
}

const invalid = (path: string, why: string): LxcriError =>
  new LxcriError("auth-file-invalid", `${path}: ${why}`);

/** All of a file; undefined where there is none. @throws LxcriError `auth-file-invalid` */
export function readRawAuthFile(path: string): Readonly<Record<string, unknown>> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text === "" ? "{}" : text);
  } catch {
    // the parser's message may quote half a password: it is not shown
    throw invalid(path, "is no JSON");
  }
  if (!isRecord(value)) throw invalid(path, "must be an object");
  const { auths } = value;
  if (auths !== undefined && !(isRecord(auths) && Object.values(auths).every(isRecord))) {
    throw invalid(path, "auths must be an object of objects");
  }
  return value;
}

function readAuthFile(path: string): AuthFile | undefined {
  const value = readRawAuthFile(path);
  if (value === undefined) return undefined;
  const { auths, credHelpers, credsStore } = value;
  return {
    ...(auths === undefined ? {} : { auths: auths as Readonly<Record<string, AuthEntry>> }),
    ...(isRecord(credHelpers) ? { credHelpers: credHelpers as Readonly<Record<string, string>> } : {}),
    ...(typeof credsStore === "string" && credsStore !== "" ? { credsStore } : {}),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Keys that may stand for a repository, the most specific first: `host/a/b`, `host/a`, `host`. */
function keysOf(registry: string, repository: string): string[] {
  const parts = repository === "" ? [] : repository.split("/");
  const keys = [registry];
  for (const part of parts) keys.unshift(`${keys[0]}/${part}`);
  return keys;
}

/** Old files have addresses for keys. */
const hostOfKey = (key: string): string => key.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");

/** Files, else helpers: the first that knows the registry decides. @throws LxcriError `auth-file-invalid`, `auth-helper-failed` */
export async function findCredentials(
  registry: string,
  repository: string,
  files: readonly string[],
): Promise<Credentials | undefined> {
  for (const path of files) {
    const file = readAuthFile(path);
    if (file === undefined) continue;
    const found =
      (await fromHelper(file, registry, repository)) ?? fromEntries(file, registry, repository, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fromEntries(
  { auths = {} }: AuthFile,
  registry: string,
  repository: string,
  path: string,
): Credentials | undefined {
  const byKey = new Map(Object.entries(auths));
  for (const key of [...byKey.keys()]) {
    const host = hostOfKey(key);
    if (!byKey.has(host)) byKey.set(host, byKey.get(key) ?? {});
  }
  const keys = keysOf(registry, repository);
  if (registry === "docker.io") keys.push(HUB_KEY, "index.docker.io", "registry-1.docker.io");
  for (const key of keys) {
    const entry = byKey.get(key);
    const found = entry === undefined ? undefined : fromEntry(entry, path, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fromEntry({ auth, identitytoken }: AuthEntry, path: string, key: string): Credentials | undefined {
  if (typeof identitytoken === "string" && identitytoken !== "") {
    return { kind: "identity", token: identitytoken };
  }
  // an empty entry stands for credentials that a store keeps
  if (typeof auth !== "string" || auth === "") return undefined;
  const text = Buffer.from(auth, "base64").toString();
  const colon = text.indexOf(":");
  if (colon <= 0) throw invalid(path, `auth of ${key} is not user:password in base64`);
  return {
    kind: "basic",
    username: text.slice(0, colon),
    password: text.slice(colon + 1).replace(/\0+$/, ""),
  };
}

async function fromHelper(
  { credHelpers = {}, credsStore }: AuthFile,
  registry: string,
  repository: string,
): Promise<Credentials | undefined> {
  const own = keysOf(registry, repository).find((key) => Object.hasOwn(credHelpers, key));
  const server = own ?? (registry === "docker.io" ? HUB_KEY : registry);
  const name = own === undefined ? credsStore : credHelpers[own];
  return name === undefined ? undefined : await askHelper(name, server);
}

/** `docker-credential-NAME get`, the server's name on its standard input. @throws LxcriError `auth-helper-failed` */
async function askHelper(name: string, server: string): Promise<Credentials | undefined> {
  const failed = (why: string, cause?: unknown): LxcriError =>
    new LxcriError(
      "auth-helper-failed",
      `credential helper docker-credential-${name} for ${server}: ${why}`,
      {
        cause,
      },
    );
  if (!HELPER_NAME.test(name)) throw failed("is no name of a program");
  const { stdout, exitCode } = await run([`docker-credential-${name}`, "get"], {
    stdin: server,
    timeout: HELPER_TIMEOUT,
  });
  if (exitCode !== 0) {
    if (/not found|no credentials/i.test(stdout)) return undefined;
    throw failed(stdout.trim().slice(0, 200) || `exit code ${exitCode}`);
  }
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch (cause) {
    throw failed(`no JSON: ${messageOf(cause)}`);
  }
  if (!isRecord(answer) || typeof answer.Username !== "string" || typeof answer.Secret !== "string") {
    throw failed("its answer has no Username and Secret");
  }
  return answer.Username === "<token>"
    ? { kind: "identity", token: answer.Secret }
    : { kind: "basic", username: answer.Username, password: answer.Secret };
}
