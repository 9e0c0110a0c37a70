/** Images in registries. A manifest that is in the content store already is not asked for again. */
import { readFileSync } from "node:fs";
import { digestOf } from "../../spec/digest.ts";
import type { ContentStore } from "../content/content-store.ts";
import { type Descriptor, ImageError, parseManifest, selectManifest } from "../manifest.ts";
import type { Platform } from "../platform.ts";
import { formatReference, type Reference } from "../reference.ts";
import { RegistryClient, type RegistrySettings } from "../registry/client.ts";
import type { FoundImage } from "./found-image.ts";

/** @throws RegistryError, ImageError */
export async function findInRegistry(
  reference: Reference,
  platform: Platform,
  store: ContentStore,
  settings: RegistrySettings,
  signal?: AbortSignal,
): Promise<FoundImage> {
  const client = new RegistryClient(reference, settings);
  const name = formatReference(reference);
  let wanted: string = reference.digest ?? reference.tag ?? "latest";
  for (let depth = 0; depth < 4; depth += 1) {
    const { bytes, digest } = stored(wanted, store) ?? (await client.manifest(wanted, signal));
    await store.ensure({ digest, size: bytes.length }, async function* () {
      yield bytes;
    });
    const found = parseManifest(bytes, `${name}, manifest ${digest}`);
    if (found.kind === "manifest") {
      return { name, digest, manifest: found, blob: (blob: Descriptor) => client.blob(blob.digest) };
    }
    wanted = selectManifest(found, platform, name).digest;
  }
  throw new ImageError("image-invalid", `${name}: indexes within indexes`);
}

function stored(
  wanted: string,
  store: ContentStore,
): { bytes: Uint8Array; digest: ReturnType<typeof digestOf> } | undefined {
  if (!wanted.startsWith("sha256:")) return undefined;
  const digest = wanted as ReturnType<typeof digestOf>;
  try {
    const bytes = readFileSync(store.pathOf(digest));
    if (digestOf(bytes) === digest) return { bytes, digest };
    store.drop(digest);
    return undefined;
  } catch {
    return undefined;
  }
}
