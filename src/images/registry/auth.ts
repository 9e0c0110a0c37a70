/** Who we are to a registry: Basic, and Bearer tokens; distribution's "token" and "oauth" specifications. */
import type { Credentials } from "./credentials.ts";
import {
  type Answer,
  drop,
  type HttpLimits,
  isLoopback,
  readAll,
  send,
  statusError,
  type TlsSettings,
} from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** One challenge: `Bearer realm="…",service="…"`. */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Parses a `WWW-Authenticate` header; RFC 9110, 11.6.1. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /\s*,?\s*([A-Za-z][\w-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  for (let match = token.exec(header); match !== null; match = token.exec(header)) {
    const [, name = "", quoted, plain] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    const current = challenges.at(-1);
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: {} });
    else if (current !== undefined) current.parameters[name.toLowerCase()] = value;
  }
  return challenges;
}

const MAX_TOKEN_ANSWER = 1 << 20;

/** What an {@link Authenticator} works with. */
export interface AuthSettings {
  readonly limits: HttpLimits;
  /** Tokens may come over plain http from anywhere. */
  readonly insecure: boolean;
  readonly tls: TlsSettings;
  /** Asked once, when the registry wants to know. */
  readonly credentials: () => Promise<Credentials | undefined>;
}

/** Answers one registry's refusals; keeps one token per scope. */
export class Authenticator {
  readonly #settings: AuthSettings;
  readonly #headers = new Map<string, string>();
  #credentials: Promise<Credentials | undefined> | undefined;

  constructor(settings: AuthSettings) {
    this.#settings = settings;
  }

  /** Value of the `Authorization` header for a scope, if one is known. */
  header(scope: string): string | undefined {
    return this.#headers.get(scope);
  }

  /**
   * Obtains what `challenge` (the `WWW-Authenticate` header) asks for; false where it cannot.
   * @param scope several are separated by blanks
   * @param registry the URL that asked
   * @param refused the `Authorization` header that was not good enough
   */
  async answer(
    challenge: string,
    scope: string,
    registry: URL,
    refused: string | undefined,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const challenges = parseChallenges(challenge);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer?.parameters.realm !== undefined) {
      const { realm, service } = bearer.parameters;
      const header = await this.#bearer(this.#tokenUrl(realm, registry), service, scope, signal);
      this.#headers.set(scope, header);
      return true;
    }
    const credentials = await this.#find();
    const basic = challenges.some(({ scheme }) => scheme === "basic");
    if (!basic || credentials?.kind !== "basic") return false;
    const header = basicHeader(credentials);
    if (refused === header) return false;
    this.#headers.set(scope, header);
    return true;
  }

  #find(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#settings.credentials();
    return this.#credentials;
  }

  #tokenUrl(realm: string, registry: URL): URL {
    if (!URL.canParse(realm)) {
      throw new RegistryError("registry-answer-invalid", `${registry.host}: names no address for tokens`);
    }
    const url = new URL(realm);
    const plain = url.protocol === "http:" && (this.#settings.insecure || isLoopback(url.hostname));
    if (url.protocol !== "https:" && !plain) {
      throw new RegistryError(
        "registry-answer-invalid",
        `${registry.host}: wants tokens from ${url.protocol}//`,
      );
    }
    return url;
  }

  async #bearer(
    realm: URL,
    service: string | undefined,
    scope: string,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const credentials = await this.#find();
    if (credentials?.kind === "bearer") return `Bearer ${credentials.token}`;
    const { limits } = this.#settings;
    const answer =
      credentials?.kind === "identity"
        ? await this.#refresh(realm, service, scope, credentials.token, signal)
        : await this.#ask(realm, service, scope, credentials, signal);
    if (answer.response.status !== 200) {
      await drop(answer);
      throw statusError(answer, `token for ${scope}`);
    }
    const token = tokenOf(await readAll(answer, MAX_TOKEN_ANSWER, limits, signal));
    if (token === undefined) {
      throw new RegistryError("registry-answer-invalid", `${realm.host}: its answer holds no token`);
    }
    return `Bearer ${token}`;
  }

  #ask(
    realm: URL,
    service: string | undefined,
    scope: string,
    credentials: Extract<Credentials, { kind: "basic" }> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set("service", service);
    for (const each of scope.split(" ")) if (each !== "") url.searchParams.append("scope", each);
    const { limits, tls } = this.#settings;
    const headers: Record<string, string> = { Accept: "application/json" };
    if (credentials !== undefined) {
      url.searchParams.set("account", credentials.username);
      headers.Authorization = basicHeader(credentials);
    }
    return send({ method: "GET", url, headers, tls }, limits, signal);
  }

  #refresh(
    url: URL,
    service: string | undefined,
    scope: string,
    token: string,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "proxmox-lxcri",
      service: service ?? "",
      scope,
      refresh_token: token,
    });
    const { limits, tls } = this.#settings;
    const headers = { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" };
    return send({ method: "POST", url, headers, body: form.toString(), tls }, limits, signal);
  }
}

const basicHeader = ({ username, password }: { username: string; password: string }): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** `token`, or `access_token` as OAuth names it; header-safe characters only. */
function tokenOf(bytes: Uint8Array): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof body !== "object" || body === null) return undefined;
  for (const key of ["token", "access_token"]) {
    const text: unknown = Reflect.get(body, key);
    if (typeof text === "string" && /^[\x21-\x7e]+$/.test(text)) return text;
  }
  return undefined;
}
