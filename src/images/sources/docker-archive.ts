/** Archives of `docker save` and `podman save`: a tar with `manifest.json`, a config, and a tar file per layer. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { LxcriError } from "../../host/errors.ts";
import { type Digest, digestOf, Hasher } from "../../spec/digest.ts";
import { Findings, faultText } from "../../spec/faults.ts";
import { text } from "../../spec/scalars.ts";
import { array, object, strings } from "../../spec/shape.ts";
import { type ContentStore, fileSource } from "../content/content-store.ts";
import { type Descriptor, ImageError, MAX_CONFIG, MEDIA_TYPES, parseConfig } from "../manifest.ts";
import { formatReference, parseReference } from "../reference.ts";
import { compressionOf, decompress } from "../unpack/decompress.ts";
import type { FoundImage } from "./found-image.ts";
import { indexTar, type TarMember } from "./tar-index.ts";

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

function readMember(file: string, { start, size }: TarMember): Buffer {
  const fd = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(size);
    let got = 0;
    while (got < size) {
      const read = readSync(fd, bytes, got, size - got, start + got);
      if (read === 0) break;
      got += read;
    }
    return bytes.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}

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

/** An archive that is open: `file` is uncompressed. Call `close` once its blobs are stored. */
export interface OpenArchive {
  readonly image: FoundImage;
  close(): void;
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
  const what = `docker-archive:${path}`;
  const head = readMember(path, { start: 0, size: 6 });
  if (compressionOf(head) === "none") return { image: await findIn(path, tag, what), close: () => {} };
  const scratch = store.scratch();
  try {
    for await (const piece of decompress(fileSource(path)(0, () => {}))) {
      for (let at = 0; at < piece.length; ) at += writeSync(scratch.lock.fd, piece, at);
    }
    return { image: await findIn(scratch.path, tag, what), close: () => scratch.lock.release() };
  } catch (error) {
    scratch.lock.release();
    throw error;
  }
}

async function findIn(file: string, tag: string | undefined, what: string): Promise<FoundImage> {
  const members = indexTar(file);
  const member = (name: string): TarMember => {
    const found = members.get(name);
    if (found === undefined) throw new ImageError("image-invalid", `${what}: has no ${JSON.stringify(name)}`);
    return found;
  };
  const small = (name: string): Buffer => {
    const found = member(name);
    if (found.size > MAX_CONFIG) throw new ImageError("image-invalid", `${what}: ${name} is too large`);
    return readMember(file, found);
  };
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
  return {
    name: entry.RepoTags?.[0] ?? what,
    digest: digestOf(JSON.stringify(manifest)),
    manifest: { kind: "manifest", config: configBlob, layers },
    blob: ({ digest }) => {
      const place = places.get(digest);
      if (place === undefined) throw new ImageError("image-invalid", `${what}: has no blob ${digest}`);
      return fileSource(file, place.start, place.size);
    },
  };
}

function parseEntries(bytes: Buffer, what: string): readonly Entry[] {
  const source = bytes.toString();
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
