/**
 * The images of a data root, by name. A record is a file that is replaced in one step, so a killed process leaves the
 * old or the new one; what a record names is complete, as it is written last.
 *
 *     <data root>/images/names/<sha256 of the name>.json
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../host/errors.ts";
import { syncDirectory, writeFileAtomic } from "../host/files.ts";
import { type Digest, digestOf, hexOf, isDigest } from "../spec/digest.ts";
import { makeDataRoot, makeFolder, PRIVATE } from "../storage/private-folder.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";

/** What a reference is kept as: where it has a digest, its tag says nothing. */
export function nameOf({ registry, repository, tag, digest }: Reference): string {
  if (digest !== undefined) return formatReference({ registry, repository, digest });
  return formatReference({ registry, repository, tag: tag ?? "latest" });
}

/** A blob that an image consists of. */
export interface OwnedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A name and what it stands for. */
export interface NamedImage {
  /** A reference in full, `docker.io/library/busybox:latest`. */
  readonly name: string;
  /** What the registry has under the name: of an index or a manifest. */
  readonly target: Digest;
  /** Of the manifest for the platform. */
  readonly manifest: Digest;
  /** The image's id: the digest of its config. */
  readonly id: Digest;
  /** `linux/amd64` */
  readonly platform: string;
  /** Index (if any), manifest, config and layers. */
  readonly blobs: readonly OwnedBlob[];
  /** Chain ids, lowest first. */
  readonly layers: readonly Digest[];
  /** Unix time in ms: when the name began to stand for this. */
  readonly since: number;
  /** Unix time in ms: when its source last said so. */
  readonly checked: number;
}

export class ImageNames {
  readonly #folder: string;

  /** @param dataRoot absolute */
  constructor(dataRoot: string) {
    this.#folder = join(dataRoot, "images/names");
    makeDataRoot(dataRoot);
    makeFolder(join(dataRoot, "images"), PRIVATE);
    makeFolder(this.#folder, PRIVATE);
  }

  /**
   * Writes a record, durably. An image that loses its tag by this keeps a name with its digest, as containers may
   * be known by it.
   */
  put(image: NamedImage): void {
    const before = this.get(image.name);
    if (before !== undefined && before.manifest !== image.manifest) {
      const { registry, repository } = parseReference(image.name);
      const name = formatReference({ registry, repository, digest: before.target });
      if (name !== image.name) this.#write({ ...before, name });
    }
    this.#write(image);
  }

  /** undefined where there is none; a record that is damaged is none. */
  get(name: string): NamedImage | undefined {
    return this.#read(this.#pathOf(name));
  }

  /** False where there was none. */
  remove(name: string): boolean {
    const known = this.get(name) !== undefined;
    rmSync(this.#pathOf(name), { force: true });
    syncDirectory(this.#folder);
    return known;
  }

  /** By name. */
  list(): NamedImage[] {
    return readdirSync(this.#folder)
      .filter((file) => file.endsWith(".json"))
      .flatMap((file) => this.#read(join(this.#folder, file)) ?? [])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The images that a person means: a name as for a pull, an id, or the first digits (4 at least) of one.
   * @throws LxcriError `image-not-found`, `image-ambiguous`
   */
  find(text: string): NamedImage[] {
    const all = this.list();
    const digits = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1];
    const byId = digits === undefined ? [] : all.filter(({ id }) => hexOf(id).startsWith(digits));
    if (new Set(byId.map(({ id }) => id)).size > 1) {
      throw new LxcriError("image-ambiguous", `image ${JSON.stringify(text)}: several ids begin so`, {
        fix: "Give more digits of the id.",
      });
    }
    if (byId.length > 0) return byId;
    if (!isDigest(text)) {
      const wanted = parseReference(text);
      const { registry, repository, digest } = wanted;
      const name = nameOf(wanted);
      const found = all.filter(
        (image) =>
          image.name === name ||
          // any tag of the repository that stands for the digest
          (digest !== undefined &&
            image.name.startsWith(`${registry}/${repository}`) &&
            sameRepository(image.name, registry, repository) &&
            (image.target === digest || image.manifest === digest)),
      );
      if (found.length > 0) return found;
    }
    throw new LxcriError("image-not-found", `image ${JSON.stringify(text)}: is not in this data root`, {
      fix: "`proxmox-lxcri image ls` shows those that are.",
    });
  }

  #write(image: NamedImage): void {
    writeFileAtomic(this.#pathOf(image.name), JSON.stringify(image), { durable: true });
  }

  #read(path: string): NamedImage | undefined {
    try {
      return JSON.parse(readFileSync(path, "utf8")) as NamedImage;
    } catch (error) {
      if (isMissing(error) || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  #pathOf(name: string): string {
    return join(this.#folder, `${hexOf(digestOf(name))}.json`);
  }
}

function sameRepository(name: string, registry: string, repository: string): boolean {
  const reference = parseReference(name);
  return reference.registry === registry && reference.repository === repository;
}
