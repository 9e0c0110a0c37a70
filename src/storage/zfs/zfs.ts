/**
 * The `zfs` program, as OpenZFS has it and as its older relatives do (zfs-fuse): only options that all of them know,
 * and `zfs get`, whose form is the same everywhere, for whatever is asked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { LxcriError } from "../../host/errors.ts";
import { runProgram } from "../program.ts";

/** A `zfs` command that failed; the message ends with what it said. */
export class ZfsError extends LxcriError {}

/** ms that a dataset may be busy for: an unmount is not over when it returns everywhere. */
const BUSY_TIMEOUT = 10_000;
const TIMEOUT = 600_000;

/**
 * Runs `zfs ARGS…`, again while the dataset is busy.
 * @returns standard output
 * @throws ZfsError `zfs-missing`, `dataset-missing`, `dataset-busy`, `dataset-has-clones`, `zfs-failed`
 */
export async function zfs(...args: readonly string[]): Promise<string> {
  const giveUp = performance.now() + BUSY_TIMEOUT;
  for (let wait = 5; ; wait = Math.min(wait * 2, 200)) {
    const { exitCode, stdout, stderr } = await runZfs(args);
    if (exitCode === 0) return stdout;
    const error = failed(args, stderr.trim());
    if (error.code !== "dataset-busy" || performance.now() > giveUp) throw error;
    await sleep(wait);
  }
}

async function runZfs(args: readonly string[]) {
  try {
    const { PATH = "/usr/sbin:/usr/bin:/sbin:/bin" } = process.env;
    return await runProgram(["zfs", ...args], { env: { PATH, LC_ALL: "C" }, timeout: TIMEOUT });
  } catch (cause) {
    if (!(cause instanceof LxcriError) || cause.code !== "program-missing") throw cause;
    throw new ZfsError("zfs-missing", `zfs ${args.join(" ")}: there is no zfs program here`, {
      cause,
      fix: "Install zfsutils-linux, or choose another storage location.",
    });
  }
}

function failed(args: readonly string[], said: string): ZfsError {
  const [first = ""] = said.split("\n");
  const message = `zfs ${args.join(" ")}: ${first}`;
  const missing = /'([^']*)': (?:dataset|parent|no such pool)?.*does not exist|no such pool '([^']*)'/.exec(
    said,
  );
  if (missing !== null) {
    const name = missing[1] ?? missing[2];
    return new ZfsError("dataset-missing", message, { fix: `Create ${name}, or correct its name.` });
  }
  if (said.includes("busy")) return new ZfsError("dataset-busy", message);
  if (/dependent clones|clones of previous snapshots/.test(said))
    return new ZfsError("dataset-has-clones", message);
  if (/ZFS utilities must be run|connect to|modules/i.test(first)) {
    return new ZfsError("zfs-missing", message, {
      fix: "Load the zfs module, or start the zfs-fuse daemon.",
    });
  }
  return new ZfsError("zfs-failed", message);
}

/** Properties of datasets and snapshots by name. */
export type ZfsProperties = ReadonlyMap<string, Readonly<Record<string, string>>>;

/**
 * Asks for properties; sizes in bytes, times in seconds, `-` where one does not apply.
 * @param depth levels below the dataset, snapshots included from 1 on; 0 for itself alone
 * @throws ZfsError `dataset-missing`
 */
export async function getProperties(
  dataset: string,
  names: readonly string[],
  depth = 0,
): Promise<ZfsProperties> {
  const range = depth === 0 ? [] : ["-r", "-d", String(depth)];
  const text = await zfs("get", "-Hp", ...range, "-o", "name,property,value", names.join(","), dataset);
  const found = new Map<string, Record<string, string>>();
  for (const line of text.split("\n")) {
    const [name, property, value] = line.split("\t");
    if (name === undefined || property === undefined || value === undefined) continue;
    const known = found.get(name) ?? {};
    known[property] = value;
    found.set(name, known);
  }
  return found;
}

/** One property of one dataset; undefined where there is no such dataset. */
export async function findProperty(dataset: string, name: string): Promise<string | undefined> {
  try {
    return (await getProperties(dataset, [name])).get(dataset)?.[name];
  } catch (error) {
    if (error instanceof ZfsError && error.code === "dataset-missing") return undefined;
    throw error;
  }
}

/** The folder that a dataset is mounted on; it is mounted where it was not. @throws ZfsError `dataset-unmountable` */
export async function mountDataset(dataset: string): Promise<string> {
  const { mountpoint = "-", mounted } =
    (await getProperties(dataset, ["mountpoint", "mounted"])).get(dataset) ?? {};
  if (!mountpoint.startsWith("/")) {
    throw new ZfsError("dataset-unmountable", `dataset ${dataset}: has no mount point (${mountpoint})`, {
      fix: `zfs set mountpoint=/FOLDER ${dataset}`,
    });
  }
  if (mounted !== "yes") await zfs("mount", dataset);
  return mountpoint;
}

/** Names of the file systems that were cloned from a snapshot of `dataset`. Looks through its whole pool. */
export async function clonesOf(dataset: string): Promise<string[]> {
  const [pool = dataset] = dataset.split("/");
  const text = await zfs("get", "-Hp", "-r", "-o", "name,value", "origin", pool);
  const clones: string[] = [];
  for (const line of text.split("\n")) {
    const [name, origin] = line.split("\t");
    if (name !== undefined && origin?.startsWith(`${dataset}@`) === true) clones.push(name);
  }
  return clones;
}
