/**
 * Pulls from registries: OCI distribution 1.1 and Docker v2; from mirrors first, where there are any. Nothing that
 * comes is believed: manifests and blobs are checked against their digests, by this file and by the content store.
 */
import { type Digest, digestOf } from "../../spec/digest.ts";
import type { BlobSource } from "../content/content-store.ts";
import { MAX_MANIFEST, MEDIA_TYPES } from "../manifest.ts";
import type { Reference } from "../reference.ts";
import { type Credentials, findCredentials } from "./credentials.ts";
import { type Capability, endpointsOf } from "./hosts.ts";
import { type Answer, DEFAULT_HTTP_LIMITS, drop, type HttpLimits, pieces, readAll } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import { DEFAULT_RETRIES, Retries, type RetryPolicy, retrying } from "./retry.ts";
import { RegistrySession } from "./session.ts";

/** How to talk to registries. */
export interface RegistrySettings {
  /** Plain http is allowed; on loopback it always is. */
  readonly insecure?: boolean;
  readonly retries?: RetryPolicy;
  readonly limits?: HttpLimits;
  /** For the reference's own registry; in place of those in files. */
  readonly credentials?: Credentials;
  /** Files with credentials, see `defaultAuthFiles`; none are read where undefined. */
  readonly authFiles?: readonly string[];
  /** Folders of per-registry settings; default `DEFAULT_CERTS_DIRS`. */
  readonly certsDirs?: readonly string[];
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

/** A mirror that does not answer is not worth waiting for: the registry itself comes after it. */
const MIRROR_RETRIES: RetryPolicy = { attempts: 1, delay: 1, maxDelay: 1 };

/** Sessions for a repository, mirrors first. @throws LxcriError `hosts-toml-invalid` */
export function openSessions(
  { registry, repository }: Pick<Reference, "registry" | "repository">,
  settings: RegistrySettings,
): RegistrySession[] {
  const insecure = settings.insecure ?? false;
  return endpointsOf(registry, insecure, settings.certsDirs).map((endpoint) => {
    // credentials are for the one they were made for, and a mirror is somebody else
    const host = endpoint.mirrorOf === undefined ? registry : endpoint.base.host;
    const given = endpoint.mirrorOf === undefined ? settings.credentials : undefined;
    return new RegistrySession(endpoint, repository, {
      limits: settings.limits ?? DEFAULT_HTTP_LIMITS,
      insecure,
      credentials: async () => given ?? (await findCredentials(host, repository, settings.authFiles ?? [])),
    });
  });
}

/** One repository of one registry. */
export class RegistryClient {
  readonly #reference: Reference;
  readonly #retries: RetryPolicy;
  readonly #sessions: readonly RegistrySession[];

  /** @throws LxcriError `hosts-toml-invalid` */
  constructor(reference: Reference, settings: RegistrySettings = {}) {
    this.#reference = reference;
    this.#retries = settings.retries ?? DEFAULT_RETRIES;
    this.#sessions = openSessions(reference, settings);
  }

  /**
   * The manifest or index of a tag or digest.
   * @throws RegistryError `image-not-found` and others
   */
  async manifest(name: string | Digest, signal?: AbortSignal): Promise<FetchedManifest> {
    const sessions = this.#able("resolve");
    for (const [i, session] of sessions.entries()) {
      try {
        const policy = i === sessions.length - 1 ? this.#retries : MIRROR_RETRIES;
        return await retrying(() => this.#manifestOf(session, name, signal), policy, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (i === sessions.length - 1) throw error;
      }
    }
    throw this.#noServer();
  }

  async #manifestOf(session: RegistrySession, name: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const what = `${this.#reference.registry}/${this.#reference.repository}:${name}`;
    const answer = await session.request(
      {
        path: `manifests/${name}`,
        headers: { Accept: ACCEPT },
        what,
        scope: session.scope("pull"),
        accept: [200],
      },
      signal,
    );
    const bytes = await readAll(answer, MAX_MANIFEST, session.limits, signal);
    const digest = digestOf(bytes);
    const expected = name.includes(":") ? name : answer.response.headers.get("docker-content-digest");
    if (expected?.startsWith("sha256:") && expected !== digest) {
      throw new RegistryError(
        "registry-answer-invalid",
        `${what}: the manifest has digest ${digest}, not ${expected}`,
        { transient: true },
      );
    }
    return { bytes, digest };
  }

  /** A blob's bytes; a broken connection is taken up again where it broke, or by the next server. */
  blob(digest: Digest): BlobSource {
    return (offset, restart, signal) => this.#blobFromAny(digest, offset, restart, signal);
  }

  async *#blobFromAny(
    digest: Digest,
    offset: number,
    restart: () => void,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const sessions = this.#able("pull");
    const place = { at: offset };
    for (const [i, session] of sessions.entries()) {
      const last = i === sessions.length - 1;
      try {
        yield* this.#blobPieces(
          session,
          digest,
          place,
          restart,
          last ? this.#retries : MIRROR_RETRIES,
          signal,
        );
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (last || !(error instanceof RegistryError)) throw error;
      }
    }
    throw this.#noServer();
  }

  async *#blobPieces(
    session: RegistrySession,
    digest: Digest,
    place: { at: number },
    restart: () => void,
    policy: RetryPolicy,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const what = `blob ${digest} of ${this.#reference.repository}`;
    const retries = new Retries(policy, signal);
    let farthest = place.at;
    for (;;) {
      try {
        const answer = await session.request(
          {
            path: `blobs/${digest}`,
            headers: place.at === 0 ? {} : { Range: `bytes=${place.at}-` },
            what,
            scope: session.scope("pull"),
            accept: [200, 206],
          },
          signal,
        );
        if (place.at > 0 && !continues(answer, place.at)) {
          if (answer.response.status === 206) {
            await drop(answer);
            throw new RegistryError("registry-answer-invalid", `${what}: another range than asked for came`);
          }
          restart();
          place.at = 0;
        }
        const expected = contentLength(answer);
        let got = 0;
        for await (const piece of pieces(answer, session.limits, signal)) {
          place.at += piece.length;
          got += piece.length;
          // beginning anew each time is no progress
          if (place.at > farthest) retries.progressed();
          farthest = Math.max(farthest, place.at);
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

  #able(capability: Capability): readonly RegistrySession[] {
    return this.#sessions.filter(({ endpoint }) => endpoint.capabilities.includes(capability));
  }

  #noServer(): RegistryError {
    return new RegistryError(
      "registry-unreachable",
      `${this.#reference.registry}: hosts.toml names no server`,
    );
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
