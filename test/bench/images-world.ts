/** What the image benchmark pulls, and from where: six layers, some 300 MB unpacked, in a registry on loopback. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runChecked } from "../../src/host/process.ts";
import { buildImage } from "../images/build.ts";
import { pushLayout, startRegistry, type TestRegistry } from "../images/registry.ts";
import type { TarEntry } from "../images/tar-writer.ts";

const LAYERS = 6;
const LAYER_BYTES = 52 << 20;
/** Debian's /usr has files of 25 KB on average: many small ones and few large ones. */
const SIZES = [700, 1500, 2500, 4000, 6000, 9000, 14_000, 24_000, 60_000, 150_000] as const;

/** A name that is pulled from a registry. */
export interface PullWorld {
  readonly reference: string;
  close(): Promise<void>;
}

/** Text of random words: compresses about as well as programs and documents do. The same each time. */
function makeText(length: number): Buffer {
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 8;
  };
  const words = Array.from({ length: 4000 }, () =>
    Array.from({ length: 2 + (next() % 9) }, () => String.fromCharCode(97 + (next() % 26))).join(""),
  );
  const text = Buffer.alloc(length);
  for (let at = 0; at < length; ) at += text.write(`${words[next() % words.length]} `, at) || length;
  return text;
}

function layerEntries(layer: number, text: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  for (let i = 0, bytes = 0; bytes < LAYER_BYTES; i += 1) {
    const size = SIZES[(i * 7 + layer) % SIZES.length] ?? 1000;
    const start = (i * 104_729 + layer * 7919) % (text.length - size);
    if (i % 40 === 0) entries.push({ name: `usr/${layer}/${i / 40}/`, type: "5" });
    entries.push({
      name: `usr/${layer}/${Math.floor(i / 40)}/${i}`,
      data: text.subarray(start, start + size),
    });
    bytes += size;
  }
  return entries;
}

/** Builds the image and starts the registry beneath `folder`. */
export async function openPullWorld(folder: string): Promise<PullWorld> {
  const text = makeText(32 << 20);
  const layers = Array.from({ length: LAYERS }, (_, layer) => layerEntries(layer, text));
  const image = buildImage(join(folder, "layout"), { layers, config: { Cmd: ["sh"] } });
  const registry: TestRegistry = await startRegistry(join(folder, "registry"));
  await pushLayout(image.dir, image.tag, registry, "bench/app:1");
  rmSync(image.dir, { recursive: true, force: true });
  return { reference: `${registry.host}/bench/app:1`, close: () => registry.stop() };
}

/** One way to pull; each sample begins with nothing, and what it made goes at the end only. */
export interface Puller {
  /** ms */
  sample(): Promise<number>;
}

/** Waits until earlier samples are on the disk. */
const settle = (): Promise<unknown> => runChecked(["sync"]);

/** Folders of samples: removing one before the next sample would disturb that one. */
class SampleFolders {
  readonly #parent: string;
  #count = 0;

  constructor(parent: string) {
    this.#parent = parent;
  }

  next(): string {
    this.#count += 1;
    const folder = join(this.#parent, String(this.#count));
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

async function timed(argv: readonly string[]): Promise<number> {
  const start = performance.now();
  await runChecked(argv, { timeout: 300_000 });
  return performance.now() - start;
}

/** Most memory that a process had so far, KiB; 0 once it has ended. */
function peakOf(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Ours; notes the peak of its memory, KiB. */
export class OurPuller implements Puller {
  readonly peaks: number[] = [];
  readonly #folders: SampleFolders;

  constructor(
    readonly program: string,
    readonly reference: string,
    folder: string,
  ) {
    this.#folders = new SampleFolders(folder);
  }

  async sample(): Promise<number> {
    const dataRoot = this.#folders.next();
    await settle();
    const start = performance.now();
    const child = Bun.spawn(
      [this.program, "--data-root", dataRoot, "image", "pull", "--quiet", this.reference],
      { stdout: "ignore", stderr: "inherit" },
    );
    // what wait4(2) says of a child's peak includes its parent's, up to the exec
    let peak = 0;
    const watch = setInterval(() => {
      peak = Math.max(peak, peakOf(child.pid));
    }, 20);
    const status = await child.exited;
    const ms = performance.now() - start;
    clearInterval(watch);
    if (status !== 0) throw new Error(`our pull: exit code ${status}`);
    this.peaks.push(peak);
    return ms;
  }
}

/** containerd by `ctr`, a daemon for each sample. */
export class ContainerdPuller implements Puller {
  readonly #reference: string;
  readonly #folders: SampleFolders;

  constructor(reference: string, folder: string) {
    this.#reference = reference;
    this.#folders = new SampleFolders(folder);
  }

  async sample(): Promise<number> {
    const folder = this.#folders.next();
    const socket = join(folder, "sock");
    await Bun.write(
      join(folder, "config.toml"),
      `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`,
    );
    const daemon = Bun.spawn(
      ["containerd", "--config", join(folder, "config.toml"), "--log-level", "error"],
      {
        stdio: ["ignore", "ignore", "ignore"],
      },
    );
    try {
      const ctr = ["ctr", "--address", socket];
      for (let tries = 0; tries < 200; tries += 1) {
        if (Bun.spawnSync([...ctr, "version"]).exitCode === 0) break;
        await Bun.sleep(50);
      }
      await settle();
      return await timed([...ctr, "images", "pull", "--plain-http", this.#reference]);
    } finally {
      daemon.kill();
      await daemon.exited;
    }
  }
}

/** skopeo to a layout, then umoci. */
export class SkopeoPuller implements Puller {
  readonly #reference: string;
  readonly #folders: SampleFolders;

  constructor(reference: string, folder: string) {
    this.#reference = reference;
    this.#folders = new SampleFolders(folder);
  }

  async sample(): Promise<number> {
    const folder = this.#folders.next();
    await settle();
    const copied = await timed([
      ...["skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false"],
      ...[`docker://${this.#reference}`, `oci:${folder}/layout:x`],
    ]);
    return copied + (await timed(["umoci", "unpack", "--image", `${folder}/layout:x`, `${folder}/bundle`]));
  }
}
