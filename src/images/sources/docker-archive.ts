/** Archives of `docker save` and `podman save`: a tar with `manifest.json`, a config, and a tar file per layer. */
import { LxcriError } from "../../host/errors.ts";
import { type Digest, digestOf, Hasher } from "../../spec/digest.ts";
import { Findings, faultText } from "../../spec/faults.ts";
import { text } from "../../spec/scalars.ts";
import { array, object, strings } from "../../spec/shape.ts";
import { type ContentStore, fileSource } from "../content/content-store.ts";
import { type Descriptor, ImageError, MAX_CONFIG, MEDIA_TYPES, parseConfig } from "../manifest.ts";
import { formatReference, parseReference } from "../reference.ts";
import { compressionOf } from "../unpack/decompress.ts";
import { type ArchiveFile, type OpenArchive, openArchive, readMember } from "./archive-file.ts";
import type { FoundImage } from "./found-image.ts";
import type { TarMember } from "./tar-index.ts";

interface Entry {
  readonly Config: string;
  readonly RepoTags?: readonly string[];
  readonly Layers: readonly string[];
}

const entries = array(
  object<Entry>({
    required: { Config: text, Layers: strings(text) },
    optional: { RepoTags: strings(text) },
    open: true,
  }),
);

const sameImage = (a: string, b: string): boolean =>
  a === b || formatReference(parseReference(a)) === formatReference(parseReference(b));

/** The only image, or the one with the tag. */
function choose(list: readonly Entry[], tag: string | undefined, what: string): Entry {
  const chosen =
    tag === undefined
      ? list.length === 1
        ? list[0]
        : undefined
      : list.find((entry) => entry.RepoTags?.some((known) => sameImage(known, tag)));
  if (chosen !== undefined) return chosen;
  const tags = list.flatMap((entry) => entry.RepoTags ?? ["(untagged)"]).join(", ");
  throw new LxcriError(
    "image-not-found",
    tag === undefined
      ? `${what}: holds ${list.length} images`
      : `${what}: holds no image ${JSON.stringify(tag)}`,
    { fix: `It has: ${tags || "none"}.` },
  );
}

/**
 * Finds an image in an archive; a compressed one is unpacked into the content store's scratch space first.
 * @throws LxcriError `image-not-found`, ImageError, TarError, LayerError
 */
export async function openDockerArchive(
  path: string,
  tag: string | undefined,
  store: ContentStore,
): Promise<OpenArchive> {
  const archive = await openArchive(path, store);
  try {
    return { image: await findIn(archive, tag, `docker-archive:${path}`), close: archive.close };
  } catch (error) {
    archive.close();
    throw error;
  }
}

async function findIn(archive: ArchiveFile, tag: string | undefined, what: string): Promise<FoundImage> {
  const { file } = archive;
  const member = (name: string): TarMember => archive.member(name, what);
  const small = (name: string): Uint8Array => archive.read(name, MAX_CONFIG, what);
  const entry = choose(parseEntries(small("manifest.json"), what), tag, what);
  const config = small(entry.Config);
  const { diffIds } = parseConfig(config, entry.Layers.length, `${what}, ${entry.Config}`);
  const places = new Map<Digest, TarMember>();
  const layers: Descriptor[] = [];
  for (const [i, name] of entry.Layers.entries()) {
    const place = member(name);
    const digest = await layerDigest(file, place, diffIds[i]);
    places.set(digest, place);
    layers.push({ mediaType: MEDIA_TYPES.layer, digest, size: place.size });
  }
  const configBlob = { mediaType: MEDIA_TYPES.config, digest: digestOf(config), size: config.length };
  places.set(configBlob.digest, member(entry.Config));
  const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config: configBlob, layers };
  const document = new TextEncoder().encode(JSON.stringify(manifest));
  const digest = digestOf(document);
  return {
    name: entry.RepoTags?.[0] ?? what,
    ...(entry.RepoTags?.[0] === undefined ? {} : { ownName: entry.RepoTags[0] }),
    target: digest,
    digest,
    documents: [document],
    manifest: { kind: "manifest", config: configBlob, layers },
    blob: ({ digest }) => {
      const place = places.get(digest);
      if (place === undefined) throw new ImageError("image-invalid", `${what}: has no blob ${digest}`);
      return fileSource(file, place.start, place.size);
    },
  };
}

function parseEntries(bytes: Uint8Array, what: string): readonly Entry[] {
  const source = new TextDecoder().decode(bytes);
  const findings = new Findings(source);
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (cause) {
    throw new ImageError("image-invalid", `${what}: manifest.json is no JSON`, { cause });
  }
  const list = entries(value, "", findings);
  if (list === undefined || findings.faults.length > 0) {
    throw new ImageError(
      "image-invalid",
      `${what}: manifest.json: ${findings.faults.map(faultText).join("; ")}`,
    );
  }
  return list;
}

/** An uncompressed layer's digest is its diff id, to be checked when it is stored; another one's is computed. */
async function layerDigest(file: string, place: TarMember, diffId: Digest | undefined): Promise<Digest> {
  const head = readMember(file, { start: place.start, size: Math.min(6, place.size) });
  if (diffId !== undefined && compressionOf(head) === "none") return diffId;
  const hasher = new Hasher();
  for await (const piece of fileSource(file, place.start, place.size)(0, () => {})) hasher.update(piece);
  return hasher.digest();
}
