/** Keeping credentials in an auth file, and forgetting them. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import { lockFile } from "../../host/file-lock.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { openSessions, type RegistrySettings } from "./client.ts";
import { type Credentials, readRawAuthFile } from "./credentials.ts";

/** Where credentials are kept unless something else is said. */
const DEFAULT_FILE = "/etc/containers/auth.json";
/** ms */
const LOCK_TIMEOUT = 10_000;

/** A registry as `login` takes it: no repository. @throws LxcriError `registry-name-invalid` */
function parseRegistry(text: string): string {
  const name = text.replace(/^https?:\/\//, "").replace(/\/$/, "");
  if (/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(name)) return name;
  throw new LxcriError("registry-name-invalid", `${JSON.stringify(text)}: is not a registry's host and port`);
}

/**
 * Asks the registry, then keeps the credentials. Returns the file.
 * @throws RegistryError `registry-unauthorized` and others; LxcriError `registry-name-invalid`, `auth-file-invalid`
 */
export async function login(
  name: string,
  credentials: Extract<Credentials, { kind: "basic" }>,
  settings: RegistrySettings,
  { file = DEFAULT_FILE, signal }: { readonly file?: string; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const registry = parseRegistry(name);
  const sessions = openSessions({ registry, repository: "" }, { ...settings, credentials });
  // mirrors come first and are somebody else
  await sessions.at(-1)?.login(signal);
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  mkdirSync(dirname(file), { recursive: true });
  await change(file, (auths) => {
    auths[registry] = { auth };
    return true;
  });
  return file;
}

/** Returns the files that had some. @throws LxcriError `registry-name-invalid`, `auth-file-invalid` */
export async function logout(name: string, files: readonly string[]): Promise<string[]> {
  const registry = parseRegistry(name);
  const changed: string[] = [];
  for (const file of files) {
    if (readRawAuthFile(file) === undefined) continue;
    const had = await change(
      file,
      (auths) => Reflect.has(auths, registry) && Reflect.deleteProperty(auths, registry),
    );
    if (had) changed.push(file);
  }
  return changed;
}

/** Changes `auths` and leaves all else as it is; what `edit` says is returned, and nothing written where it is false. */
async function change(file: string, edit: (auths: Record<string, unknown>) => boolean): Promise<boolean> {
  const lock = await lockFile(`${file}.lock`, AbortSignal.timeout(LOCK_TIMEOUT));
  try {
    const content = readRawAuthFile(file) ?? {};
    const auths: Record<string, unknown> = { ...(content.auths as Record<string, unknown> | undefined) };
    if (!edit(auths)) return false;
    writeFileAtomic(file, `${JSON.stringify({ ...content, auths }, undefined, 2)}\n`, {
      mode: 0o600,
      durable: true,
    });
    return true;
  } finally {
    lock.release();
  }
}
