import { isatty } from "node:tty";
import { launchContainer } from "../containers/launched/launch.ts";
import { parseName } from "../containers/launched/name.ts";
import type { LaunchedRecord, LaunchedStore } from "../containers/launched/record.ts";
import { awaitEnd, removeLaunched } from "../containers/launched/remove.ts";
import type { LaunchRequest } from "../containers/launched/request.ts";
import { stateOfLaunched } from "../containers/launched/status.ts";
import { type FileLock, tryLockFile } from "../host/file-lock.ts";
import { type Image, obtainImage } from "../images/obtain.ts";
import { parseCheckpointReference } from "./checkpoint-reference.ts";
import type { Command, Invocation } from "./command.ts";
import { Foreground } from "./foreground.ts";
import { ProgressView } from "./image-progress.ts";
import { launchFlags, launchRequest } from "./launch-flags.ts";
import { jsonFlag, launchedContext } from "./launched.ts";
import { UsageError } from "./usage-error.ts";

/** ms that the removal of an ended container may take. */
const REMOVE_TIMEOUT = 30_000;

/** `launch`: an image runs as a container. */
export const command: Command = {
  name: "launch",
  summary: "run an image as a container; its exit code becomes ours",
  description: `IMAGE is a reference to a registry ([REGISTRY/]REPOSITORY[:TAG][@DIGEST]), oci:DIR[:TAG],
docker-archive:FILE[:TAG], or tar:FILE: a root file system with an init of its own, such as a Proxmox VE
container template. What follows it replaces the image's command.

The container is unprivileged: root in it is an ordinary user of the host. It has a seccomp filter, few
capabilities, and no network but loopback unless --network says otherwise. It goes on when we are ended;
ctrl-p ctrl-q leaves one with a terminal. Flags come before IMAGE.`,
  args: "IMAGE [--] [COMMAND [ARG...]]",
  arity: [0, Number.POSITIVE_INFINITY],
  inOrder: true,
  flags: [
    ...launchFlags,
    {
      name: "from",
      kind: "string",
      value: "CONTAINER[@CHECKPOINT]",
      summary: "in place of IMAGE: clone a container's checkpoint, and run it detached as that was run",
    },
    { name: "insecure", kind: "boolean", summary: "allow a registry without TLS that is not on loopback" },
    jsonFlag,
  ],
  examples: [
    "launch --rm -it docker.io/library/alpine sh",
    "launch -d --name web --memory 256m --cpus 1.5 registry.example.org/web:2",
    "launch --from web@1767225600 --name web2",
    "launch -d --name db -v dbdata:/var/lib/db -e DB_USER=me oci:/srv/images/db",
    "launch -d --name ct --nesting tar:/var/lib/vz/template/cache/debian-12-standard.tar.zst",
  ],
  async run(invocation) {
    const { args, flags, globals, io } = invocation;
    const from = flags.string("from");
    if (from !== undefined) return await launchClone(from, invocation);
    const [source, ...rest] = args;
    if (source === undefined) throw new UsageError('"launch" needs an IMAGE, or --from');
    const request = launchRequest(flags, rest[0] === "--" ? rest.slice(1) : rest, io);
    // Before the download, not after.
    if (request.name !== undefined) parseName(request.name);
    const image = await obtain(source, invocation);
    const context = { ...launchedContext(invocation), cgroupManager: globals.cgroupManager };
    if (request.detach) {
      const record = await launchContainer(image, request, context);
      const state = stateOfLaunched(context.launched, record);
      io.stdout(flags.boolean("json") ? `${JSON.stringify(state)}\n` : `${record.name}\n`);
      return 0;
    }
    using attendant = new ForegroundAttendant(context.launched, request);
    await launchContainer(image, request, context, attendant);
    const code = await attendant.stay(io.stderr);
    const { ended } = attendant;
    if (ended !== undefined) {
      // conmon has us remove it; this is for the case that it could not.
      if (ended.conmon !== undefined) awaitEnd(ended.conmon, REMOVE_TIMEOUT);
      await removeLaunched(context, ended.name, { force: true, volumes: true });
    }
    return code;
  },
};

async function launchClone(from: string, invocation: Invocation): Promise<number> {
  const { args, flags, io } = invocation;
  if (args.length > 0) throw new UsageError("launch: --from stands in place of an IMAGE and its command");
  const other = launchFlags.find(({ name }) => !["name", "detach"].includes(name) && flags.given(name));
  if (other !== undefined)
    throw new UsageError(`launch: --${other.name} cannot go with --from: a clone is as its source`);
  const { id, number } = parseCheckpointReference(from);
  const { launchFrom } = await import("../containers/checkpoint/clone.ts");
  const source = { name: id, ...(number === undefined ? {} : { number }) };
  const context = launchedContext(invocation);
  const record = await launchFrom(context, source, flags.string("name"));
  const state = stateOfLaunched(context.launched, record);
  io.stdout(flags.boolean("json") ? `${JSON.stringify(state)}\n` : `${record.name}\n`);
  return 0;
}

async function obtain(source: string, { flags, globals, io }: Invocation): Promise<Image> {
  using view = new ProgressView(flags.boolean("json") ? () => {} : io.stderr, isatty(2));
  return await obtainImage(source, {
    dataRoot: globals.dataRoot,
    insecure: flags.boolean("insecure"),
    progress: view.report,
    ...(io.signal === undefined ? {} : { signal: io.signal }),
  });
}

/** Stays with the container; with `--rm` it holds its removal up until the exit code has been read. */
class ForegroundAttendant implements Disposable {
  readonly #launched: LaunchedStore;
  readonly #request: LaunchRequest;
  #foreground: Foreground | undefined;
  #lock: FileLock | undefined;
  #record: LaunchedRecord | undefined;
  /** The container that has ended and is to be removed. */
  ended: LaunchedRecord | undefined;

  constructor(launched: LaunchedStore, request: LaunchRequest) {
    this.#launched = launched;
    this.#request = request;
  }

  attach(record: LaunchedRecord): void {
    this.#record = record;
    if (record.remove) this.#lock = tryLockFile(this.#launched.attendedPath(record.name));
    this.#foreground = new Foreground(record, this.#launched.bundle(record.name), this.#request.interactive);
  }

  giveUp(): void {
    this[Symbol.dispose]();
  }

  /** The exit code for us. */
  async stay(say: (text: string) => void): Promise<number> {
    const record = this.#record;
    const ending = await this.#foreground?.stay();
    this.giveUp();
    if (ending?.kind === "exited") {
      if (record?.remove === true) this.ended = record;
      return ending.code;
    }
    say(`\r\n${record?.name} goes on; proxmox-lxcri attach ${record?.name} comes back to it\r\n`);
    return 0;
  }

  [Symbol.dispose](): void {
    this.#foreground?.[Symbol.dispose]();
    this.#lock?.release();
    this.#lock = undefined;
  }
}
