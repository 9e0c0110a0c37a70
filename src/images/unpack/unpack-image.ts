/**
 * Stores and unpacks an image's layers, several at a time: each starts to unpack when its own blob is here, and goes
 * into its place when the ones below are in theirs.
 */
import { LxcriError } from "../../host/errors.ts";
import { runChecked } from "../../host/process.ts";
import type { Digest } from "../../spec/digest.ts";
import type { SnapshotDriver } from "../../storage/driver.ts";
import type { BlobSource, ContentStore } from "../content/content-store.ts";
import type { Descriptor } from "../manifest.ts";
import { completeLayer } from "./complete-layer.ts";
import { LayerError } from "./layer-error.ts";
import { unpackLayer } from "./unpack-layer.ts";

/** How far a blob or a layer is; bytes of the blob. */
export interface ImageProgress {
  /** `blob`: being fetched. `layer`: being unpacked. */
  readonly kind: "blob" | "layer";
  readonly digest: Digest;
  readonly done: number;
  readonly total: number;
}

/** One layer of the image. */
export interface ImageLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly source: BlobSource;
}

/** Where to, and who listens. */
export interface UnpackContext {
  readonly store: ContentStore;
  readonly driver: SnapshotDriver;
  readonly progress: (event: ImageProgress) => void;
  /** Fetch also the blobs of layers that are unpacked already, so that the image can go elsewhere. */
  readonly complete?: boolean;
  readonly signal?: AbortSignal;
}

/** Layers in work at a time: network and decompression overlap, memory stays small. */
const PARALLEL = 4;

/** ms that a slow disk may take. */
const SYNC_TIMEOUT = 600_000;

/** First come, first served. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/**
 * Makes sure that all layers are in the driver.
 * @param chain chain id of each layer
 * @throws the first error; all work has ended by then, and what is complete stays for the next try
 */
export async function unpackImage(
  layers: readonly ImageLayer[],
  chain: readonly Digest[],
  context: UnpackContext,
): Promise<void> {
  const stop = new AbortController();
  const signal = context.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, context.signal]);
  const slots = new Slots(PARALLEL);
  let below: Promise<void> = Promise.resolve();
  const tasks = layers.map((layer, i) => {
    const parent = below;
    const task = (async () => {
      // taken in order: a layer never holds a slot that one below it waits for
      await slots.take();
      try {
        signal.throwIfAborted();
        await unpackOne(layer, chain.slice(0, i + 1), parent, { ...context, signal });
      } catch (error) {
        stop.abort(error);
        throw error;
      } finally {
        slots.give();
      }
    })();
    below = task;
    return task;
  });
  const ended = await Promise.allSettled(tasks);
  context.signal?.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const result of ended) if (result.status === "rejected") throw result.reason;
}

async function unpackOne(
  layer: ImageLayer,
  chain: readonly Digest[],
  parent: Promise<void>,
  context: UnpackContext & { signal: AbortSignal },
): Promise<void> {
  const { descriptor } = layer;
  const { store, driver, progress, signal } = context;
  const report = (kind: ImageProgress["kind"], done: number): void =>
    progress({ kind, digest: descriptor.digest, done, total: descriptor.size });
  const chainId = chain.at(-1);
  const fetch = (): ReturnType<ContentStore["receive"]> =>
    store.receive(descriptor, layer.source, (done) => report("blob", done), signal);
  if (chainId === undefined || driver.hasLayer(chainId)) {
    if (context.complete === true && !store.has(descriptor)) await (await fetch()).durable;
    report("layer", descriptor.size);
    return parent;
  }
  const { durable } = await fetch();
  // the disk takes the blob while it is unpacked
  const both = await Promise.allSettled([unpackStored(layer, chain, parent, fetch, context), durable]);
  for (const result of both) if (result.status === "rejected") throw result.reason;
  return parent;
}

/** Unpacks a layer whose blob is in the store. */
async function unpackStored(
  layer: ImageLayer,
  chain: readonly Digest[],
  parent: Promise<void>,
  fetch: () => ReturnType<ContentStore["receive"]>,
  { store, driver, progress, signal }: UnpackContext & { signal: AbortSignal },
): Promise<void> {
  const { descriptor } = layer;
  if (!driver.independentLayers) await parent;
  for (let attempt = 0; ; attempt += 1) {
    const draft = await driver.beginLayer(chain, signal);
    if (draft === undefined) break;
    try {
      const { size, unresolved } = await unpackLayer(
        {
          name: descriptor.digest,
          source: store.read(descriptor.digest),
          diffId: layer.diffId,
          whiteouts: draft.overlayWhiteouts,
          signal,
          progress: (done) =>
            progress({ kind: "layer", digest: descriptor.digest, done, total: descriptor.size }),
        },
        draft.folder,
      );
      // side by side with other layers' work; what follows is little, and journaled before the layer's mark
      await syncFileSystem(draft.folder, signal);
      await parent;
      signal.throwIfAborted();
      completeLayer(draft.folder, unresolved, draft.lowers());
      if (unresolved.links.length > 0) await syncFileSystem(draft.folder, signal);
      await draft.commit(size);
      break;
    } catch (error) {
      await draft.discard();
      if (attempt > 0 || !isDamage(error) || (await store.isIntact(descriptor))) throw error;
      // the disk gave other bytes than were stored: once more from the source
      store.drop(descriptor.digest);
      await (await fetch()).durable;
    } finally {
      await draft.discard();
    }
  }
}

/** Has the disk take all that was written: a layer that is marked as complete must be so after a power failure, too. */
const syncFileSystem = (folder: string, signal: AbortSignal): Promise<unknown> =>
  runChecked(["sync", "--file-system", folder], { timeout: SYNC_TIMEOUT, signal });

/** Errors that a damaged blob may be behind. */
const isDamage = (error: unknown): boolean =>
  (error instanceof LayerError &&
    (error.code === "layer-digest-mismatch" || error.code === "layer-compression")) ||
  (error instanceof LxcriError && error.code.startsWith("tar-"));
