/**
 * Pushes to a registry: blobs that it does not have, taken from another of its repositories where one is known, then
 * manifests; OCI distribution 1.1, "Push" and "Referrers".
 */
import { type Digest, digestOf, hexOf } from "../../spec/digest.ts";
import { MEDIA_TYPES } from "../manifest.ts";
import { openSessions, type RegistrySettings } from "./client.ts";
import { drop, readAll } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import { DEFAULT_RETRIES, type RetryPolicy, retrying } from "./retry.ts";
import type { RegistrySession } from "./session.ts";

/** A blob that is here. */
export interface LocalBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Its bytes from the beginning; called again for another try. */
  read(): AsyncIterable<Uint8Array>;
}

/** How a blob got to the registry. */
export type PushedBlob = "present" | "mounted" | "uploaded";

const MAX_INDEX = 4 * 2 ** 20;

/** Pushes to one repository of one registry. */
export class RegistryUploader {
  readonly #session: RegistrySession;
  readonly #retries: RetryPolicy;

  /** @throws LxcriError `hosts-toml-invalid`; RegistryError where no server takes pushes */
  constructor(
    reference: { readonly registry: string; readonly repository: string },
    settings: RegistrySettings,
  ) {
    const session = openSessions(reference, settings).find(({ endpoint }) =>
      endpoint.capabilities.includes("push"),
    );
    if (session === undefined) {
      throw new RegistryError("registry-unreachable", `${reference.registry}: hosts.toml lets nobody push`);
    }
    this.#session = session;
    this.#retries = settings.retries ?? DEFAULT_RETRIES;
  }

  /**
   * Makes sure that the registry has the blob.
   * @param from another repository of the same registry that may have it
   * @param progress bytes sent so far
   */
  blob(
    blob: LocalBlob,
    from: string | undefined,
    progress: (done: number) => void,
    signal?: AbortSignal,
  ): Promise<PushedBlob> {
    const work = async (): Promise<PushedBlob> => {
      if (await this.#has(`blobs/${blob.digest}`, signal)) return "present";
      const location = await this.#begin(blob.digest, from, signal);
      if (location === undefined) return "mounted";
      await this.#put(blob, location, progress, signal);
      return "uploaded";
    };
    return retrying(work, this.#retries, signal).finally(() => progress(blob.size));
  }

  /**
   * Puts a manifest or index in place.
   * @param name a tag, or the digest
   */
  async manifest(bytes: Uint8Array, mediaType: string, name: string, signal?: AbortSignal): Promise<void> {
    const what = `${this.#session.repository}:${name}`;
    const put = async (): Promise<boolean> => {
      const answer = await this.#session.request(
        {
          method: "PUT",
          path: `manifests/${name}`,
          headers: { "Content-Type": mediaType },
          body: bytes,
          what,
          scope: this.#session.scope("pull", "push"),
          accept: [200, 201, 202],
        },
        signal,
      );
      await drop(answer);
      return answer.response.headers.has("oci-subject");
    };
    const indexed = await retrying(put, this.#retries, signal);
    const subject = subjectOf(bytes);
    // a registry without the referrers interface keeps the list under a tag
    if (subject !== undefined && !indexed) await this.#addReferrer(subject, bytes, mediaType, signal);
  }

  async #has(path: string, signal: AbortSignal | undefined): Promise<boolean> {
    const answer = await this.#session.request(
      {
        method: "HEAD",
        path,
        what: path,
        scope: this.#session.scope("pull", "push"),
        accept: [200, 404],
      },
      signal,
    );
    await drop(answer);
    return answer.response.status === 200;
  }

  /** The address to upload to; undefined where the registry took the blob from the other repository. */
  async #begin(digest: Digest, from: string | undefined, signal?: AbortSignal): Promise<URL | undefined> {
    const own = this.#session.scope("pull", "push");
    const begin = (query: string, scope: string): ReturnType<RegistrySession["request"]> =>
      this.#session.request(
        {
          method: "POST",
          path: `blobs/uploads/${query}`,
          headers: { "Content-Length": "0" },
          what: `upload of ${digest} to ${this.#session.repository}`,
          scope,
          accept: [201, 202],
        },
        signal,
      );
    const mount = async (repository: string): ReturnType<RegistrySession["request"]> => {
      try {
        return await begin(
          `?${new URLSearchParams({ mount: digest, from: repository })}`,
          `${own} repository:${repository}:pull`,
        );
      } catch (error) {
        // whoever may not read there must upload
        if (!(error instanceof RegistryError) || error.transient) throw error;
        return begin("", own);
      }
    };
    const answer = from === undefined ? await begin("", own) : await mount(from);
    await drop(answer);
    if (answer.response.status === 201) return undefined;
    return this.#session.resolve(answer.response.headers.get("location"), signal);
  }

  async #put(
    blob: LocalBlob,
    location: URL,
    progress: (done: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    location.searchParams.set("digest", blob.digest);
    let done = 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      done = 0;
      for await (const piece of blob.read()) {
        yield piece;
        done += piece.length;
        progress(done);
      }
    }
    const answer = await this.#session.request(
      {
        method: "PUT",
        path: location,
        headers: { "Content-Type": "application/octet-stream", "Content-Length": String(blob.size) },
        ...(blob.size === 0 ? { body: new Uint8Array() } : { stream: pieces }),
        what: `blob ${blob.digest} to ${this.#session.repository}`,
        scope: this.#session.scope("pull", "push"),
        accept: [200, 201, 204],
      },
      signal,
    );
    await drop(answer);
  }

  async #addReferrer(
    subject: Digest,
    bytes: Uint8Array,
    mediaType: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const tag = referrersTag(subject);
    const before = await this.#readReferrers(tag, signal);
    const digest = digestOf(bytes);
    if (before.some((entry) => entry.digest === digest)) return;
    const { artifactType, annotations, config } = JSON.parse(new TextDecoder().decode(bytes)) as {
      artifactType?: string;
      annotations?: Record<string, string>;
      config?: { mediaType?: string };
    };
    const entry = {
      mediaType,
      digest,
      size: bytes.length,
      artifactType: artifactType ?? config?.mediaType,
      annotations,
    };
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [...before, entry] };
    await this.manifest(new TextEncoder().encode(JSON.stringify(index)), MEDIA_TYPES.index, tag, signal);
  }

  async #readReferrers(
    tag: string,
    signal: AbortSignal | undefined,
  ): Promise<readonly { readonly digest: string }[]> {
    const answer = await this.#session.request(
      {
        path: `manifests/${tag}`,
        headers: { Accept: MEDIA_TYPES.index },
        what: tag,
        scope: this.#session.scope("pull", "push"),
        accept: [200, 404],
      },
      signal,
    );
    const body = await readAll(answer, MAX_INDEX, this.#session.limits, signal);
    if (answer.response.status === 404) return [];
    try {
      const { manifests } = JSON.parse(new TextDecoder().decode(body)) as { manifests?: unknown };
      return Array.isArray(manifests) ? manifests : [];
    } catch (cause) {
      throw new RegistryError("registry-answer-invalid", `${tag}: the list of referrers is no JSON`, {
        cause,
      });
    }
  }
}

/** The tag that stands in for the referrers interface. */
export const referrersTag = (digest: Digest): string => `sha256-${hexOf(digest)}`;

/** What a manifest refers to, a signature's image for example. */
function subjectOf(bytes: Uint8Array): Digest | undefined {
  const { subject } = JSON.parse(new TextDecoder().decode(bytes)) as { subject?: { digest?: string } };
  return subject?.digest as Digest | undefined;
}
