/** One server and one repository: requests that log in when asked to. */
import { Authenticator } from "./auth.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./hosts.ts";
import {
  type Answer,
  drop,
  get,
  type HttpLimits,
  type HttpRequest,
  isUntrusted,
  send,
  statusError,
} from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** What is asked of the server; `path` is beneath the repository, or an address that the server gave. */
export interface RepositoryRequest extends Omit<HttpRequest, "url" | "headers" | "tls" | "method"> {
  readonly method?: HttpRequest["method"];
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Names the thing in messages. */
  readonly what: string;
  readonly scope: string;
  /** Statuses that are no error. */
  readonly accept: readonly number[];
}

/** How {@link RegistrySession} connects. */
export interface SessionSettings {
  readonly limits: HttpLimits;
  readonly insecure: boolean;
  readonly credentials: () => Promise<Credentials | undefined>;
}

export class RegistrySession {
  readonly endpoint: Endpoint;
  readonly repository: string;
  readonly #limits: HttpLimits;
  readonly #auth: Authenticator;
  #base: Promise<URL> | undefined;

  constructor(endpoint: Endpoint, repository: string, { limits, insecure, credentials }: SessionSettings) {
    this.endpoint = endpoint;
    this.repository = repository;
    this.#limits = limits;
    this.#auth = new Authenticator({ limits, insecure, tls: endpoint.tls, credentials });
  }

  get limits(): HttpLimits {
    return this.#limits;
  }

  /** `repository:NAME:pull`, as tokens name it. */
  scope(...actions: readonly string[]): string {
    return `repository:${this.repository}:${actions.join(",")}`;
  }

  /** @throws RegistryError for statuses that are not accepted */
  async request(request: RepositoryRequest, signal?: AbortSignal): Promise<Answer> {
    const { path, what, scope, accept, method = "GET", headers = {}, body, stream } = request;
    const url = typeof path === "string" ? await this.#urlOf(path, signal) : path;
    const home = url.origin === (await this.#findBase(signal)).origin;
    for (let attempt = 0; ; attempt += 1) {
      const authorization = home ? this.#auth.header(scope) : undefined;
      const answer = await send(
        {
          method,
          url,
          headers: {
            "User-Agent": "proxmox-lxcri",
            ...(home ? this.endpoint.headers : {}),
            ...headers,
            ...(authorization === undefined ? {} : { Authorization: authorization }),
          },
          ...(body === undefined ? {} : { body }),
          ...(stream === undefined ? {} : { stream }),
          tls: this.endpoint.tls,
        },
        this.#limits,
        signal,
      );
      const { status } = answer.response;
      if (accept.includes(status)) return answer;
      await drop(answer);
      const challenge = answer.response.headers.get("www-authenticate");
      const retry = home && status === 401 && attempt === 0 && challenge !== null;
      if (!retry || !(await this.#auth.answer(challenge, scope, url, authorization, signal)))
        throw statusError(answer, what);
    }
  }

  /** Asks the server whether it takes us. @throws RegistryError `registry-unauthorized` and others */
  async login(signal?: AbortSignal): Promise<void> {
    const base = await this.#findBase(signal);
    const url = new URL(`${base.href.replace(/\/$/, "")}/`);
    const answer = await this.request({ path: url, what: "login", scope: "", accept: [200] }, signal);
    await drop(answer);
  }

  /** Makes an address that the server gave absolute. @throws RegistryError `registry-answer-invalid` */
  async resolve(location: string | null, signal?: AbortSignal): Promise<URL> {
    const base = await this.#findBase(signal);
    if (location !== null && URL.canParse(location, base.href)) {
      const url = new URL(location, base);
      if (url.protocol === base.protocol || url.protocol === "https:") return url;
    }
    throw new RegistryError("registry-answer-invalid", `${base.host}: gives no address to upload to`);
  }

  async #urlOf(path: string, signal: AbortSignal | undefined): Promise<URL> {
    const base = await this.#findBase(signal);
    const url = new URL(`${base.href.replace(/\/$/, "")}/${this.repository}/${path}`);
    if (this.endpoint.mirrorOf !== undefined) url.searchParams.set("ns", this.endpoint.mirrorOf);
    return url;
  }

  #findBase(signal: AbortSignal | undefined): Promise<URL> {
    this.#base ??= this.#probe(signal).catch((error: unknown) => {
      this.#base = undefined;
      throw error;
    });
    return this.#base;
  }

  /** https; where plain http is allowed, whichever of both answers. */
  async #probe(signal: AbortSignal | undefined): Promise<URL> {
    const { base, plainAllowed, tls } = this.endpoint;
    if (base.protocol === "http:" || !plainAllowed) return base;
    try {
      await drop(await get(new URL(`${base.href}/`), {}, this.#limits, signal, tls));
      return base;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
      // a server with a certificate of an unknown authority is no server without one
      if (isUntrusted(error.cause)) throw error;
      const plain = new URL(base);
      plain.protocol = "http:";
      return plain;
    }
  }
}
