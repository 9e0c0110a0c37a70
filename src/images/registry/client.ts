/**
 * Pulls from registries: OCI distribution 1.1 and Docker v2. Nothing that comes is believed: manifests and blobs are
 * checked against their digests, by this file and by the content store.
 */
import { type Digest, digestOf } from "../../spec/digest.ts";
import type { BlobSource } from "../content/content-store.ts";
import { MAX_MANIFEST, MEDIA_TYPES } from "../manifest.ts";
import type { Reference } from "../reference.ts";
import { AnonymousAuthenticator, type Authenticator } from "./auth.ts";
import {
  type Answer,
  DEFAULT_HTTP_LIMITS,
  drop,
  get,
  type HttpLimits,
  isLoopback,
  pieces,
  readAll,
  statusError,
} from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import { DEFAULT_RETRIES, Retries, type RetryPolicy, retrying } from "./retry.ts";

/** How to talk to one registry. */
export interface RegistrySettings {
  /** Plain http is allowed; on loopback it always is. */
  readonly insecure?: boolean;
  readonly retries?: RetryPolicy;
  readonly limits?: HttpLimits;
}

/** A manifest or index as it came. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

const ACCEPT = [
  MEDIA_TYPES.index,
  MEDIA_TYPES.manifest,
  MEDIA_TYPES.dockerIndex,
  MEDIA_TYPES.dockerManifest,
].join(", ");

/** Docker Hub's name is not its host. */
const hostOf = (registry: string): string => (registry === "docker.io" ? "registry-1.docker.io" : registry);

/** One repository of one registry. */
export class RegistryClient {
  readonly #reference: Reference;
  readonly #plainAllowed: boolean;
  readonly #retries: RetryPolicy;
  readonly #limits: HttpLimits;
  readonly #auth: Authenticator;
  #base: Promise<URL> | undefined;

  constructor(reference: Reference, settings: RegistrySettings = {}) {
    this.#reference = reference;
    const insecure = settings.insecure ?? false;
    const host = hostOf(reference.registry);
    this.#plainAllowed = insecure || isLoopback(new URL(`https://${host}`).hostname);
    this.#retries = settings.retries ?? DEFAULT_RETRIES;
    this.#limits = settings.limits ?? DEFAULT_HTTP_LIMITS;
    this.#auth = new AnonymousAuthenticator(this.#limits, insecure);
  }

  /**
   * The manifest or index of a tag or digest.
   * @throws RegistryError `image-not-found` and others
   */
  manifest(name: string | Digest, signal?: AbortSignal): Promise<FetchedManifest> {
    const what = `${this.#reference.registry}/${this.#reference.repository}:${name}`;
    return retrying(
      async () => {
        const answer = await this.#get(`manifests/${name}`, { Accept: ACCEPT }, what, signal);
        const bytes = await readAll(answer, MAX_MANIFEST, this.#limits, signal);
        const digest = digestOf(bytes);
        const expected = name.includes(":") ? name : answer.response.headers.get("docker-content-digest");
        if (expected?.startsWith("sha256:") && expected !== digest) {
          throw new RegistryError(
            "registry-answer-invalid",
            `${what}: the manifest has digest ${digest}, not ${expected}`,
            {
              transient: true,
            },
          );
        }
        return { bytes, digest };
      },
      this.#retries,
      signal,
    );
  }

  /** A blob's bytes; a broken connection is taken up again where it broke. */
  blob(digest: Digest): BlobSource {
    return (offset, restart, signal) => this.#blobPieces(digest, offset, restart, signal);
  }

  async *#blobPieces(
    digest: Digest,
    offset: number,
    restart: () => void,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const what = `blob ${digest} of ${this.#reference.repository}`;
    const retries = new Retries(this.#retries, signal);
    let at = offset;
    let farthest = offset;
    for (;;) {
      try {
        const range = at === 0 ? {} : { Range: `bytes=${at}-` };
        const answer = await this.#get(`blobs/${digest}`, { ...range }, what, signal);
        if (at > 0 && !continues(answer, at)) {
          if (answer.response.status === 206) {
            await drop(answer);
            throw new RegistryError("registry-answer-invalid", `${what}: another range than asked for came`);
          }
          restart();
          at = 0;
        }
        const expected = contentLength(answer);
        let got = 0;
        for await (const piece of pieces(answer, this.#limits, signal)) {
          at += piece.length;
          got += piece.length;
          // beginning anew each time is no progress
          if (at > farthest) retries.progressed();
          farthest = Math.max(farthest, at);
          yield piece;
        }
        if (expected === undefined || got >= expected) return;
        throw new RegistryError("registry-unreachable", `${what}: the connection ended too early`, {
          transient: true,
        });
      } catch (error) {
        await retries.failed(error);
      }
    }
  }

  /** A GET beneath the repository, logging in when asked to. @throws RegistryError for all but 200 and 206 */
  async #get(
    path: string,
    headers: Readonly<Record<string, string>>,
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    this.#base ??= this.#findBase(signal);
    const base = await this.#base.catch((error: unknown) => {
      this.#base = undefined;
      throw error;
    });
    const scope = `repository:${this.#reference.repository}:pull`;
    const url = new URL(`/v2/${this.#reference.repository}/${path}`, base);
    for (let attempt = 0; ; attempt += 1) {
      const authorization = this.#auth.header(scope);
      const sent = authorization === undefined ? headers : { ...headers, Authorization: authorization };
      const answer = await get(url, sent, this.#limits, signal);
      const { status } = answer.response;
      if (status === 200 || status === 206) return answer;
      await drop(answer);
      const challenge = answer.response.headers.get("www-authenticate");
      const retry = status === 401 && attempt === 0 && challenge !== null;
      if (!retry || !(await this.#auth.answer(challenge, scope, url, signal)))
        throw statusError(answer, what);
    }
  }

  /** https; where plain http is allowed, whichever of both answers. */
  async #findBase(signal: AbortSignal | undefined): Promise<URL> {
    const host = hostOf(this.#reference.registry);
    const secure = new URL(`https://${host}`);
    if (!this.#plainAllowed) return secure;
    try {
      await drop(await get(new URL("/v2/", secure), {}, this.#limits, signal));
      return secure;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
      return new URL(`http://${host}`);
    }
  }
}

function contentLength(answer: Answer): number | undefined {
  const header = answer.response.headers.get("content-length");
  return header === null || !/^\d+$/.test(header) ? undefined : Number(header);
}

/** Is this the part from `at` on? */
function continues({ response }: Answer, at: number): boolean {
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  return response.status === 206 && Number(start) === at;
}
