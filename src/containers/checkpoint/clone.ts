/** `launch --from`: a container made from a checkpoint of another, with the other's config. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import type { Config } from "../../spec/config.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import { Checkpoints } from "../../storage/checkpoints.ts";
import { openStorage } from "../../storage/storage.ts";
import { alreadyExists } from "../errors.ts";
import { hostsText } from "../launched/identity-files.ts";
import { relaunchContainer } from "../launched/launch.ts";
import { chooseName, parseName } from "../launched/name.ts";
import type { LaunchedRecord } from "../launched/record.ts";
import { type LaunchedContext, removeLaunched, removeLocked } from "../launched/remove.ts";

/** What is cloned. */
export interface CloneSource {
  readonly name: string;
  /** The latest checkpoint where none is said. */
  readonly number?: number;
}

/**
 * Makes a container from a checkpoint and starts it, detached. The other goes on as it is.
 * @param wanted the new one's name; chosen where none is said
 * @throws LxcriError `container-not-found`, `container-exists`, `checkpoint-not-found`, `clone-has-volumes`; nothing is
 * left then
 */
export async function launchFrom(
  context: LaunchedContext,
  from: CloneSource,
  wanted?: string,
): Promise<LaunchedRecord> {
  const { launched, store } = context;
  const source = launched.load(from.name);
  if (source.unnamedVolumes.length > 0) {
    throw new LxcriError(
      "clone-has-volumes",
      `container ${JSON.stringify(from.name)} has unnamed volumes, which no checkpoint holds`,
      { fix: "Launch it with named volumes, which the clone then shares." },
    );
  }
  const isTaken = (each: string): boolean => launched.exists(each) || store.exists(each);
  const name = wanted === undefined ? chooseName(isTaken) : parseName(wanted);
  const lock = await launched.lock(name);
  try {
    if (isTaken(name)) throw alreadyExists(name);
    try {
      await make(context, source, from, name);
    } catch (error) {
      await removeLocked(context, name, { force: true, volumes: true });
      throw error;
    }
  } finally {
    lock.release();
  }
  try {
    return await relaunchContainer(name, context);
  } catch (error) {
    await removeLaunched(context, name, { force: true, volumes: true });
    throw error;
  }
}

/** Phase `preparing` until all is there: what a kill leaves, `rm --force` and the next launch of the name remove. */
async function make(
  { launched, store }: LaunchedContext,
  source: LaunchedRecord,
  from: CloneSource,
  name: string,
): Promise<void> {
  const id = parseContainerId(name);
  const { conmon: _, ...rest } = source;
  const record = { ...rest, name: id, created: new Date().toISOString(), root: store.root, remove: false };
  launched.save({ ...record, phase: "preparing" });
  const checkpoints = new Checkpoints(openStorage(launched.dataRoot));
  await checkpoints.clone(parseContainerId(source.name), from.number, id);
  copyIdentity(join(launched.folder(source.name), "etc"), join(launched.folder(name), "etc"), name);
  const config = JSON.parse(
    readFileSync(join(launched.bundle(source.name), "config.json"), "utf8"),
  ) as Config;
  writeFileSync(
    join(launched.bundle(name), "config.json"),
    JSON.stringify(renamed(config, source.name, name)),
    {
      mode: 0o600,
    },
  );
  launched.save({ ...record, phase: "launched" });
}

/** A system container has none. Owners stay those of the files that are copied. */
function copyIdentity(from: string, to: string, name: string): void {
  if (!existsSync(from)) return;
  mkdirSync(to);
  chmodSync(to, statSync(from).mode & 0o777);
  const texts = new Map([
    ["hostname", `${name}\n`],
    ["hosts", hostsText(name)],
  ]);
  for (const file of readdirSync(from)) {
    const { uid, gid, mode } = statSync(join(from, file));
    writeFileSync(join(to, file), texts.get(file) ?? readFileSync(join(from, file)));
    chownSync(join(to, file), uid, gid);
    chmodSync(join(to, file), mode & 0o777);
  }
}

/** The name that the container knows itself by, where it was the container's. */
function renamed(config: Config, from: string, to: string): Config {
  const env = config.process.env?.map((each) => (each === `HOSTNAME=${from}` ? `HOSTNAME=${to}` : each));
  return {
    ...config,
    ...(config.hostname === from ? { hostname: to } : {}),
    process: { ...config.process, ...(env === undefined ? {} : { env }) },
  };
}
