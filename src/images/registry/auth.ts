/** Who we are to a registry. Anonymous so far: a token that anybody gets; distribution's "token" specification. */
import { drop, get, type HttpLimits, isLoopback, readAll, statusError } from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** Answers a registry's refusals. */
export interface Authenticator {
  /** Value of the `Authorization` header for a scope, if one is known. */
  header(scope: string): string | undefined;
  /**
   * Obtains what `challenge` (the `WWW-Authenticate` header) asks for; false where it cannot.
   * @param registry the URL that asked
   */
  answer(challenge: string, scope: string, registry: URL, signal?: AbortSignal): Promise<boolean>;
}

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

/** Gets Bearer tokens without credentials, one per scope. */
export class AnonymousAuthenticator implements Authenticator {
  readonly #limits: HttpLimits;
  readonly #insecure: boolean;
  readonly #tokens = new Map<string, string>();

  /** @param insecure tokens may come over plain http from anywhere */
  constructor(limits: HttpLimits, insecure: boolean) {
    this.#limits = limits;
    this.#insecure = insecure;
  }

  header(scope: string): string | undefined {
    const token = this.#tokens.get(scope);
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  async answer(challenge: string, scope: string, registry: URL, signal?: AbortSignal): Promise<boolean> {
    const bearer = parseChallenges(challenge).find(({ scheme }) => scheme === "bearer");
    const realm = bearer?.parameters.realm;
    if (bearer === undefined || realm === undefined) return false;
    if (!URL.canParse(realm)) {
      throw new RegistryError("registry-answer-invalid", `${registry.host}: names no address for tokens`);
    }
    const url = new URL(realm);
    const plain = url.protocol === "http:" && (this.#insecure || isLoopback(url.hostname));
    if (url.protocol !== "https:" && !plain) {
      throw new RegistryError(
        "registry-answer-invalid",
        `${registry.host}: wants tokens from ${url.protocol}//`,
      );
    }
    if (bearer.parameters.service !== undefined) url.searchParams.set("service", bearer.parameters.service);
    url.searchParams.set("scope", scope);
    const answer = await get(url, { Accept: "application/json" }, this.#limits, signal);
    if (answer.response.status !== 200) {
      await drop(answer);
      throw statusError(answer, `token for ${scope}`);
    }
    const token = tokenOf(await readAll(answer, MAX_TOKEN_ANSWER, this.#limits, signal));
    if (token === undefined) {
      throw new RegistryError("registry-answer-invalid", `${url.host}: its answer holds no token`);
    }
    this.#tokens.set(scope, token);
    return true;
  }
}

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
