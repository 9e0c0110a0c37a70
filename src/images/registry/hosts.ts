/**
 * Where a registry's content is to be had: `hosts.toml` as containerd reads it (mirrors, authorities, client
 * certificates), and Docker's folders of certificates; containerd's hosts.md, dockerd's certificates.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { isMissing, LxcriError, messageOf } from "../../host/errors.ts";
import { isLoopback, type TlsSettings } from "./http.ts";

export type Capability = "pull" | "resolve" | "push";

/** A server that has, or takes, a registry's images. */
export interface Endpoint {
  /** Ends before the repository: `https://mirror.example:5000/v2`. */
  readonly base: URL;
  /** Plain http where https does not answer. */
  readonly plainAllowed: boolean;
  readonly capabilities: readonly Capability[];
  readonly tls: TlsSettings;
  /** Sent along with each request to it. */
  readonly headers: Readonly<Record<string, string>>;
  /** What the server is a mirror of; undefined for the registry itself. */
  readonly mirrorOf?: string;
}

/** Folders with a folder per registry, in the order of trust. */
export const DEFAULT_CERTS_DIRS: readonly string[] = [
  "/etc/containerd/certs.d",
  "/etc/containers/certs.d",
  "/etc/docker/certs.d",
];

const ALL: readonly Capability[] = ["pull", "resolve", "push"];

const invalid = (path: string, why: string, cause?: unknown): LxcriError =>
  new LxcriError("hosts-toml-invalid", `${path}: ${why}`, { cause });

/** Docker Hub's name is not its host. */
const hostOf = (registry: string): string => (registry === "docker.io" ? "registry-1.docker.io" : registry);

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Mirrors first, in the file's order, then the registry itself.
 * @param insecure plain http is allowed; on loopback it always is
 * @throws LxcriError `hosts-toml-invalid`
 */
export function endpointsOf(
  registry: string,
  insecure: boolean,
  certsDirs: readonly string[] = DEFAULT_CERTS_DIRS,
): Endpoint[] {
  const folders = certsDirs.flatMap((dir) => foldersOf(registry, dir));
  const own = certificatesOf(folders);
  const file = folders.map((folder) => join(folder, "hosts.toml")).find((path) => existsSync(path));
  const plain = (url: URL): boolean => insecure || isLoopback(url.hostname);
  const fallback = (url: URL, more: Partial<Endpoint> = {}): Endpoint => ({
    base: url,
    plainAllowed: plain(url),
    capabilities: ALL,
    tls: own,
    headers: {},
    ...more,
  });
  const server = new URL(`https://${hostOf(registry)}/v2`);
  if (file === undefined) return [fallback(server)];
  const table = readToml(file);
  const mirrors = Object.entries(isTable(table.host) ? table.host : {}).map(([address, settings]) => {
    if (!isTable(settings)) throw invalid(file, `host ${JSON.stringify(address)} must be a table`);
    return parseHost(address, settings, file, registry);
  });
  const said = text(table.server, file, "server");
  if (said === undefined) return [...mirrors, fallback(server)];
  const parsed = parseHost(said, table, file, registry);
  return [...mirrors, { ...parsed, tls: merged(parsed.tls, own), capabilities: ALL }];
}

/** containerd spells a port `host_5000_`, too, for systems without colons in names. */
function foldersOf(registry: string, dir: string): string[] {
  const names = [registry, registry.replace(/:(\d+)$/, "_$1_"), "_default"];
  const found = names.map((name) => join(dir, name)).find((path) => existsSync(path));
  return found === undefined ? [] : [found];
}

function readToml(path: string): Table {
  try {
    return Bun.TOML.parse(readFileSync(path, "utf8")) as Table;
  } catch (cause) {
    throw invalid(path, `no TOML: ${messageOf(cause)}`, cause);
  }
}

function parseHost(address: string, settings: Table, file: string, registry: string): Endpoint {
  const spelled = /^https?:\/\//.test(address) ? address : `https://${address}`;
  if (!URL.canParse(spelled)) throw invalid(file, `${JSON.stringify(address)} is no address`);
  const base = new URL(spelled);
  const path = base.pathname.replace(/\/+$/, "");
  base.pathname = settings.override_path === true || path.endsWith("/v2") ? path : `${path}/v2`;
  const known = list(settings.capabilities, file, "capabilities") ?? ALL;
  const capabilities = ALL.filter((each) => known.includes(each));
  return {
    base,
    plainAllowed: base.protocol === "http:" || isLoopback(base.hostname),
    capabilities,
    tls: parseTls(settings, file),
    headers: parseHeaders(settings.header, file),
    ...(base.host === hostOf(registry) ? {} : { mirrorOf: registry }),
  };
}

function parseTls(settings: Table, file: string): TlsSettings {
  const load = (path: string): string => readPem(isAbsolute(path) ? path : join(file, "..", path), file);
  const ca = (list(settings.ca, file, "ca") ?? []).map(load);
  const skipVerify = settings.skip_verify === true;
  const { client } = settings;
  // one file with both, or the first pair of several
  const first: unknown = Array.isArray(client) && Array.isArray(client[0]) ? client[0] : client;
  const [certificate, key] = list(first, file, "client") ?? [];
  if (certificate === undefined) return { ca, skipVerify };
  return { ca, skipVerify, certificate: load(certificate), key: load(key || certificate) };
}

function parseHeaders(value: unknown, file: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isTable(value)) throw invalid(file, "header must be a table");
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(value)) {
    headers[name] = (list(values, file, `header.${name}`) ?? []).join(", ");
  }
  return headers;
}

function text(value: unknown, file: string, key: string): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw invalid(file, `${key} must be a string`);
}

/** One string stands for a list of one. */
function list(value: unknown, file: string, key: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.every((each): each is string => typeof each === "string")) return values;
  throw invalid(file, `${key} must be a string or a list of strings`);
}

function readPem(path: string, from: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw invalid(from, `names ${path}, which is missing`, cause);
  }
}

/** `*.crt` are authorities, `NAME.cert` and `NAME.key` a client's certificate. */
function certificatesOf(folders: readonly string[]): TlsSettings {
  let tls: TlsSettings = { ca: [], skipVerify: false };
  for (const folder of folders) {
    const names = readdirSync(folder).sort();
    const load = (name: string): string => readPem(join(folder, name), folder);
    const ca = names.filter((name) => name.endsWith(".crt")).map(load);
    const client = names.find((name) => name.endsWith(".cert"));
    const pair =
      client === undefined
        ? {}
        : { certificate: load(client), key: load(`${client.slice(0, -".cert".length)}.key`) };
    tls = merged(tls, { ca, skipVerify: false, ...pair });
  }
  return tls;
}

/** What `first` leaves open comes from `second`. */
const merged = (first: TlsSettings, second: TlsSettings): TlsSettings => ({
  ...second,
  ...first,
  ca: [...first.ca, ...second.ca],
});
