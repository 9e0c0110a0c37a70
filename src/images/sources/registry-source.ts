/** Images in registries. A manifest that is in the content store already is not asked for again. */
import { readFileSync } from "node:fs";
import { type Digest, digestOf, isDigest } from "../../spec/digest.ts";
import type { ContentStore } from "../content/content-store.ts";
import type { Lease } from "../lease.ts";
import { type Descriptor, ImageError, parseManifest, selectManifest } from "../manifest.ts";
import type { Platform } from "../platform.ts";
import { formatReference, type Reference } from "../reference.ts";
import { RegistryClient, type RegistrySettings } from "../registry/client.ts";
import type { FoundImage } from "./found-image.ts";

/** What a search in a registry needs. */
export interface RegistrySearch {
  readonly platform: Platform;
  readonly store: ContentStore;
  readonly lease: Lease;
  readonly settings: RegistrySettings;
  /** What the tag stood for not long ago: the registry is not asked. */
  readonly known?: Digest;
  /** Called with each digest that the reference stands for, before anything of it is used. */
  readonly admit: (digests: readonly Digest[]) => Promise<void>;
  readonly signal?: AbortSignal;
}

/** @throws RegistryError, ImageError */
export async function findInRegistry(reference: Reference, search: RegistrySearch): Promise<FoundImage> {
  const { platform, store, lease, settings, signal } = search;
  const client = new RegistryClient(reference, settings);
  const name = formatReference(reference);
  const documents: Uint8Array[] = [];
  const digests: Digest[] = [];
  let wanted: string = reference.digest ?? search.known ?? reference.tag ?? "latest";
  for (let depth = 0; depth < 4; depth += 1) {
    if (isDigest(wanted)) await lease.protect([wanted], signal);
    const { bytes, digest } = stored(wanted, store) ?? (await client.manifest(wanted, signal));
    await lease.protect([digest], signal);
    await store.ensure({ digest, size: bytes.length }, async function* () {
      yield bytes;
    });
    documents.push(bytes);
    digests.push(digest);
    const found = parseManifest(bytes, `${name}, manifest ${digest}`);
    if (found.kind === "manifest") {
      await search.admit(digests);
      return {
        name,
        target: digests[0] ?? digest,
        digest,
        manifest: found,
        documents,
        blob: (blob: Descriptor) => client.blob(blob.digest),
      };
    }
    wanted = selectManifest(found, platform, name).digest;
  }
  throw new ImageError("image-invalid", `${name}: indexes within indexes`);
}

function stored(wanted: string, store: ContentStore): { bytes: Uint8Array; digest: Digest } | undefined {
  if (!isDigest(wanted)) return undefined;
  try {
    const bytes = readFileSync(store.pathOf(wanted));
    if (digestOf(bytes) === wanted) return { bytes, digest: wanted };
    store.drop(wanted);
    return undefined;
  } catch {
    return undefined;
  }
}
