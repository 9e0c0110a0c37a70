/** Launched containers from within: conmon and the built program are real, and so are the containers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { buildBusyboxImage } from "../../../test/images/build.ts";
import { eventually, LaunchWorld } from "../../../test/integration/launch.fixture.ts";
import { tryLockFile } from "../../host/file-lock.ts";
import { type Image, obtainImage } from "../../images/obtain.ts";
import { killContainer } from "../kill.ts";
import { ContainerStore } from "../store.ts";
import { AttachSocket } from "./attach-socket.ts";
import { awaitCreation, conmonOf, waitForExit } from "./conmon.ts";
import { copyFiles } from "./copy.ts";
import { shellOf, userInside } from "./inside.ts";
import { requestWith } from "./launch.fixture.ts";
import { type Attendant, type LaunchContext, launchContainer, relaunchContainer } from "./launch.ts";
import { readLog } from "./logs.ts";
import { LaunchedStore } from "./record.ts";
import { awaitEnd, removeLaunched } from "./remove.ts";
import { renameLaunched } from "./rename.ts";
import type { LaunchRequest } from "./request.ts";
import { stateOfLaunched } from "./status.ts";
import { stopContainer } from "./stop.ts";

const world = new LaunchWorld();
const context: LaunchContext = {
  launched: new LaunchedStore(world.at("data")),
  store: ContainerStore.open(world.at("root")),
  log: { path: undefined, format: "text", error: () => {}, warning: () => {}, debug: () => {} },
  program: world.argv[0] ?? "",
  cgroupManager: "cgroupfs",
};
const { launched, store } = context;
const name = `${world.prefix}in`;
const second = `${world.prefix}second`;
let image: Image;

beforeAll(async () => {
  const { dir } = buildBusyboxImage(world.at("image"), {
    config: { Cmd: ["/srv/echo"], StopSignal: "SIGUSR1", Volumes: { "/data": {} } },
    extraFiles: {
      "srv/echo": "#!/bin/sh\ntrap 'echo bye; exit 6' USR1\necho up\nwhile :; do sleep 0.05; done\n",
    },
  });
  image = await obtainImage(`oci:${dir}`, { dataRoot: world.at("data") });
});
afterEach(async () => {
  for (const record of launched.list()) {
    await removeLaunched(context, record.name, { force: true, volumes: true });
    expect(await world.leftovers(record.name)).toEqual([]);
  }
});
afterAll(() => world.dispose());

const launch = (request: Partial<LaunchRequest> = {}, attendant?: Attendant) =>
  launchContainer(image, requestWith({ name, ...request }), context, attendant);
const state = (of = name) => stateOfLaunched(launched, launched.load(of));
async function log(follow = false): Promise<string> {
  let text = "";
  for await (const entry of readLog(launched, launched.load(name), { follow })) text += `${entry.text}\n`;
  return text;
}
const isUp = () => eventually("it is up", async () => (await log()).includes("up"));

describe("life", () => {
  test("launch, stop by the image's signal, start again, remove", async () => {
    const record = await launch();
    expect(record).toMatchObject({
      phase: "launched",
      stopSignal: "SIGUSR1",
      unnamedVolumes: [`${name}_data.unnamed`],
    });
    await isUp();
    expect(state()).toMatchObject({ status: "running", pid: expect.any(Number), outOfMemory: false });
    await expect(removeLaunched(context, name, { force: false, volumes: false })).rejects.toThrow(
      "not stopped: running",
    );
    const followed = log(true);
    await stopContainer(context, name, 10_000);
    expect(await followed).toBe("up\nbye\n");
    expect(state()).toMatchObject({ status: "stopped", exitCode: 6, finished: expect.stringContaining("T") });
    await stopContainer(context, name, 10_000);
    await relaunchContainer(name, context);
    expect(state().status).toBe("running");
    await expect(relaunchContainer(name, context)).rejects.toThrow("not stopped");
    await removeLaunched(context, name, { force: true, volumes: true });
    expect(existsSync(world.at("data/volumes", `${name}_data.unnamed`))).toBe(false);
    await expect(removeLaunched(context, name, { force: false, volumes: false })).rejects.toThrow(
      "does not exist",
    );
  });

  test("one that ignores its signal is killed after the grace", async () => {
    await launch({ command: ["sh", "-c", "trap '' USR1; echo up; while :; do sleep 0.05; done"] });
    await isUp();
    await stopContainer(context, name, 100);
    expect(state()).toMatchObject({ status: "stopped", exitCode: 137 });
  });

  test("a paused one is stopped, too", async () => {
    await launch();
    await isUp();
    await world.ok("pause", name);
    expect(state().status).toBe("paused");
    await stopContainer(context, name, 100);
    expect(state()).toMatchObject({ status: "stopped", exitCode: 137 });
  });

  test("rename: only stopped ones, not onto another, back again", async () => {
    await launch();
    await expect(renameLaunched(context, name, second)).rejects.toThrow("not stopped");
    await stopContainer(context, name, 0);
    await renameLaunched(context, name, second);
    expect(launched.list().map((record) => record.name as string)).toEqual([second]);
    await launch();
    await expect(renameLaunched(context, second, name)).rejects.toThrow("already exists");
    await relaunchContainer(second, context);
    expect(state(second).status).toBe("running");
  });
});

describe("attached", () => {
  test("input, output of both streams, size of the terminal, end", async () => {
    let said = "";
    let socket: AttachSocket | undefined;
    let pumped: Promise<void> | undefined;
    await launch(
      { command: ["sh", "-c", "read a; echo got $a; echo err >&2; cat; exit 3"], interactive: true },
      {
        attach: () => {
          socket = new AttachSocket(launched.bundle(name));
          pumped = socket.pump((stream, bytes) => {
            said += `${stream}:${Buffer.from(bytes)}`;
          });
        },
        giveUp: () => {},
      },
    );
    socket?.resize(10, 20);
    expect(socket?.write(Buffer.from("word\nrest"))).toBe(true);
    socket?.closeInput();
    expect(await waitForExit(launched.bundle(name), conmonOf(launched.bundle(name)))).toBe(3);
    socket?.end();
    await pumped;
    socket?.close();
    expect(said).toContain("stdout:got word\n");
    expect(said).toContain("stderr:err\n");
    expect(said).toContain("stdout:rest");
    expect(() => new AttachSocket(launched.bundle(name))).toThrow("nobody listens");
  });

  test("an attendant is told that there will be no start", async () => {
    let given = 0;
    const attendant = {
      attach: () => {
        throw new Error("no thanks");
      },
      giveUp: () => {
        given += 1;
      },
    };
    await expect(launch({}, attendant)).rejects.toThrow("no thanks");
    expect(given).toBe(1);
    expect(await world.leftovers(name)).toEqual([]);
  });

  test("--rm: conmon has it removed once the attendant has let go", async () => {
    await launch({ remove: true });
    const { conmon } = launched.load(name);
    const lock = tryLockFile(launched.attendedPath(name));
    await killContainer(store, name, 9, false);
    expect(await waitForExit(launched.bundle(name), conmon)).toBe(137);
    await Bun.sleep(100);
    expect(launched.exists(name)).toBe(true);
    lock?.release();
    await eventually("it is removed", async () => (await world.leftovers(name)).length === 0);
    if (conmon !== undefined) expect(awaitEnd(conmon, 5_000)).toBe(true);
  });
});

test("files go in and out, of a running and of a stopped one", async () => {
  await launch();
  type End = readonly [string | undefined, string];
  const copy = (from: End, to: End) =>
    copyFiles(
      context,
      { ...(from[0] === undefined ? {} : { container: from[0] }), path: from[1] },
      { ...(to[0] === undefined ? {} : { container: to[0] }), path: to[1] },
      { skipped: () => {} },
    );
  writeFileSync(world.at("one"), "1");
  await copy([undefined, world.at("one")], [name, "/srv/"]);
  await copy([name, "/srv/one"], [undefined, world.at("two")]);
  expect(readFileSync(world.at("two"), "utf8")).toBe("1");
  await stopContainer(context, name, 0);
  await copy([name, "/srv/."], [undefined, world.at("srv")]);
  expect(readFileSync(world.at("srv/one"), "utf8")).toBe("1");
  await copy([undefined, world.at("srv")], [name, "/new"]);
  await copy([name, "/new/one"], [undefined, world.at("three")]);
  expect(readFileSync(world.at("three"), "utf8")).toBe("1");
  await expect(copy([name, "/no"], [undefined, world.at("x")])).rejects.toThrow("/no: no such file");
  await expect(copy([name, "/no/such"], [undefined, world.at("x")])).rejects.toThrow(
    "/no/such: no such file",
  );
  await expect(copy([name, "/srv/one"], [undefined, world.at("no/such/")])).rejects.toThrow("no such file");
  await expect(copy([name, "/srv/."], [undefined, world.at("no/such")])).rejects.toThrow("no such file");
});

test("looking inside: shells and users", async () => {
  await launch();
  expect(shellOf(store, name)).toBe("/bin/sh");
  await world.ok("exec", name, "ln", "-s", "sh", "/bin/bash");
  expect(shellOf(store, name)).toBe("/bin/bash");
  expect(userInside(store, name, "www-data")).toMatchObject({ uid: 33, gid: 33, home: "/var" });
  await stopContainer(context, name, 0);
  expect(() => shellOf(store, name)).toThrow("not running");
});

describe("what is wrong", () => {
  test("a name that is taken, by a launched or by another container", async () => {
    await launch();
    await expect(launch()).rejects.toThrow("already exists");
  });

  test("a leftover of a killed launch is replaced; it is no container to start", async () => {
    const record = await launch();
    await stopContainer(context, name, 0);
    const { conmon: _, ...before } = record;
    launched.save({ ...before, phase: "preparing" });
    expect(state().status).toBe("stopped");
    await expect(relaunchContainer(name, context)).rejects.toThrow("never launched whole");
    expect(await launch()).toMatchObject({ phase: "launched" });
  });

  test("one that is being launched, or whose runtime record is gone", async () => {
    const record = await launch();
    await world.ok("delete", "--force", name);
    expect(state().status).toBe("stopped");
    launched.save({ ...record, phase: "preparing" });
    expect(state().status).toBe("preparing");
    await stopContainer(context, name, 0);
  });

  test("a damaged record is said, and can be removed", async () => {
    await launch();
    const path = `${launched.folder(name)}/launched.json`;
    renameSync(path, `${path}.kept`);
    writeFileSync(path, "{");
    expect(() => launched.load(name)).toThrow("is not JSON");
    await expect(removeLaunched(context, name, { force: false, volumes: false })).rejects.toThrow(
      "is not JSON",
    );
    await removeLaunched(context, name, { force: true, volumes: true });
    expect(await world.leftovers(name)).toEqual([]);
  });

  test("a runtime that fails, or is none, is said by name", async () => {
    const broken = { ...context, program: "/bin/false" };
    await expect(launchContainer(image, requestWith({ name }), broken)).rejects.toThrow(`container ${name}`);
    expect(await world.leftovers(name)).toEqual([]);
    const missing = { ...context, program: "/no/such/program" };
    await expect(launchContainer(image, requestWith({ name }), missing)).rejects.toThrow(`container ${name}`);
    expect(await world.leftovers(name)).toEqual([]);
  });

  test("without conmon's lock or folder there is nothing to wait for", async () => {
    expect(await awaitCreation(world.at("nowhere"), 10)).toBe(true);
    expect(await awaitCreation(world.at("image"), 10)).toBe(true);
    const held = tryLockFile(world.at("image/conmon.lock"));
    expect(await awaitCreation(world.at("image"), 10)).toBe(false);
    held?.release();
    expect(await waitForExit(world.at("nowhere"), undefined)).toBeUndefined();
  });
});
