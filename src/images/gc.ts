/**
 * Garbage collection: names, leases of living processes and containers' file systems are the roots; blobs and layers
 * that none of them reaches go. Safe beside pulls and launches, which lease what they touch first.
 */
import { rmSync } from "node:fs";
import type { FileLock } from "../host/file-lock.ts";
import type { Digest } from "../spec/digest.ts";
import type { Layer, SnapshotDriver } from "../storage/driver.ts";
import { openStorage } from "../storage/storage.ts";
import { ContentStore } from "./content/content-store.ts";
import { leasedDigests, lockCollection } from "./lease.ts";
import { removeAbandonedMounts } from "./mounted.ts";
import { ImageNames, type NamedImage } from "./names.ts";

/** How {@link collectGarbage} works. */
export interface CollectionOptions {
  /** Only say what would go. */
  readonly dryRun?: boolean;
  /** Take also images that have names, but no container. */
  readonly unused?: boolean;
  readonly signal?: AbortSignal;
}

/** Something that went, or would go. */
export interface Collected {
  readonly digest: Digest;
  /** Bytes on disk. */
  readonly bytes: number;
}

export interface Collection {
  readonly names: readonly string[];
  readonly blobs: readonly Collected[];
  /** By chain id. */
  readonly layers: readonly Collected[];
  /** Bytes on disk in all. */
  readonly bytes: number;
}

/** ms that pulls may have to wait for us. */
const PATIENCE = 200;

/** @throws the signal's reason; what the driver throws. What went until then stays gone, and nothing else is harmed */
export async function collectGarbage(dataRoot: string, options: CollectionOptions = {}): Promise<Collection> {
  const collector = new Collector(dataRoot, options);
  while (await collector.round()) options.signal?.throwIfAborted();
  return collector.result();
}

class Collector {
  readonly #dataRoot: string;
  readonly #options: CollectionOptions;
  readonly #store: ContentStore;
  readonly #driver: SnapshotDriver;
  readonly #imageNames: ImageNames;
  readonly #names: string[] = [];
  readonly #blobs: Collected[] = [];
  readonly #layers: Collected[] = [];
  /** Layers that the driver would not give away. */
  readonly #kept = new Set<Digest>();

  constructor(dataRoot: string, options: CollectionOptions) {
    this.#dataRoot = dataRoot;
    this.#options = options;
    this.#store = new ContentStore(dataRoot);
    this.#driver = openStorage(dataRoot);
    this.#imageNames = new ImageNames(dataRoot);
  }

  result(): Collection {
    const bytes = [...this.#blobs, ...this.#layers].reduce((sum, each) => sum + each.bytes, 0);
    return { names: this.#names, blobs: this.#blobs, layers: this.#layers, bytes };
  }

  /** Decides and removes for a short while; true where there is more to do. */
  async round(): Promise<boolean> {
    const lock: FileLock = await lockCollection(this.#dataRoot, this.#options.signal);
    const started = performance.now();
    try {
      const dryRun = this.#options.dryRun === true;
      if (!dryRun) await removeAbandonedMounts(this.#dataRoot);
      const reached = this.#reached(dryRun);
      for (const blob of this.#store.list()) {
        if (reached.has(blob.digest)) continue;
        if (!dryRun) rmSync(this.#store.pathOf(blob.digest), { force: true });
        this.#blobs.push(blob);
      }
      const unreached = topFirst(this.#driver.layers()).filter(
        ({ chainId }) => !reached.has(chainId) && !this.#kept.has(chainId),
      );
      for (const { chainId } of unreached) {
        const { bytes } = await this.#driver.layerUsage(chainId);
        if (!dryRun && !(await this.#driver.removeLayer(chainId))) this.#kept.add(chainId);
        else this.#layers.push({ digest: chainId, bytes });
        if (!dryRun && performance.now() - started > PATIENCE) return true;
      }
      return false;
    } finally {
      lock.release();
    }
  }

  /** Digests and chain ids that must stay. */
  #reached(dryRun: boolean): Set<Digest> {
    const reached = leasedDigests(this.#dataRoot);
    const tops = new Set<Digest>();
    for (const { layers } of this.#driver.list()) {
      for (const layer of layers) reached.add(layer);
      const top = layers.at(-1);
      if (top !== undefined) tops.add(top);
    }
    const goes = (image: NamedImage): boolean =>
      this.#options.unused === true &&
      !tops.has(image.layers.at(-1) ?? image.id) &&
      !reached.has(image.manifest);
    const images = this.#imageNames.list();
    const going = new Set(images.filter(goes));
    for (const image of images) {
      if (going.has(image)) {
        if (!dryRun) this.#imageNames.remove(image.name);
        this.#names.push(image.name);
        continue;
      }
      for (const { digest } of image.blobs) reached.add(digest);
      for (const layer of image.layers) reached.add(layer);
    }
    return reached;
  }
}

/** Layers before those below them, as a driver may build one on another. */
function topFirst(layers: readonly Layer[]): Layer[] {
  const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
  const depths = new Map<Digest, number>();
  const depthOf = (layer: Layer): number => {
    const chain: Layer[] = [];
    for (let at: Layer | undefined = layer; at !== undefined; ) {
      if (depths.has(at.chainId)) break;
      chain.push(at);
      at = at.parent === undefined ? undefined : byId.get(at.parent);
    }
    for (const each of chain.reverse()) {
      depths.set(each.chainId, each.parent === undefined ? 0 : (depths.get(each.parent) ?? -1) + 1);
    }
    return depths.get(layer.chainId) ?? 0;
  };
  return layers.toSorted((a, b) => depthOf(b) - depthOf(a));
}
