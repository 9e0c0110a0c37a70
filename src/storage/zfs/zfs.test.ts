import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseContainerId } from "../../spec/container-id.ts";
import {
  destroyBundleDataset,
  makeBundleDataset,
  planBundleDataset,
  readZfsSettings,
  type ZfsSettings,
} from "./bundle-dataset.ts";
import { checkpointNumber, listCheckpoints, rollbackTo, takeCheckpoint } from "./checkpoints.ts";
import { ZfsPool } from "./zfs.fixture.ts";
import { findProperty, getProperties, mountDataset, zfs } from "./zfs.ts";

// zfs-fuse on a busy machine
setDefaultTimeout(60_000);

const id = parseContainerId;
let pool: ZfsPool;
let folder: string;
beforeAll(async () => {
  pool = await ZfsPool.make();
});
afterAll(() => pool?.[Symbol.asyncDispose]());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lxcri-zfs-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the zfs program", () => {
  test("names what is missing", async () => {
    await expect(getProperties(`${pool.name}/none`, ["type"])).rejects.toThrow(`'${pool.name}/none'`);
    await expect(zfs("create", "nopool/x")).rejects.toMatchObject({ code: "dataset-missing" });
    expect(await findProperty("nopool/x", "type")).toBeUndefined();
    await expect(zfs("frobnicate")).rejects.toMatchObject({ code: "zfs-failed" });
  });

  test("a program that is not there, or a daemon that does not run, is said so", async () => {
    const before = process.env.PATH;
    process.env.PATH = folder;
    try {
      await expect(zfs("list")).rejects.toMatchObject({ code: "zfs-missing" });
      const said = "The ZFS modules are not loaded.";
      writeFileSync(join(folder, "zfs"), `#!/bin/sh\necho '${said}' >&2\nexit 1\n`, { mode: 0o755 });
      process.env.PATH = `${folder}:/bin`;
      await expect(zfs("list")).rejects.toMatchObject({ code: "zfs-missing", message: `zfs list: ${said}` });
    } finally {
      process.env.PATH = before;
    }
  });

  test("a dataset without a mount point is no place for files", async () => {
    await zfs("create", "-o", "mountpoint=none", `${pool.name}/legacy`);
    await expect(mountDataset(`${pool.name}/legacy`)).rejects.toThrow("has no mount point (none)");
    await zfs("destroy", `${pool.name}/legacy`);
  });
});

describe("checkpoints of any dataset", () => {
  test("only our names count, by number", async () => {
    expect(
      ["checkpoint-12", "checkpoint-", "checkpoint-1x", "daily", "xcheckpoint-1"].map(checkpointNumber),
    ).toEqual([12, undefined, undefined, undefined, undefined]);
    const dataset = `${pool.name}/numbers`;
    await zfs("create", dataset);
    for (const number of [10, 9, 100]) await takeCheckpoint(dataset, number);
    expect(await listCheckpoints(dataset)).toEqual([9, 10, 100]);
    await zfs("destroy", "-r", dataset);
  });

  test("going back never takes anybody's newer snapshot without being told", async () => {
    const dataset = `${pool.name}/back`;
    await zfs("create", dataset);
    const file = join(await mountDataset(dataset), "file");
    writeFileSync(file, "1");
    await takeCheckpoint(dataset, 1);
    writeFileSync(file, "2");
    await zfs("snapshot", `${dataset}@daily`);
    await expect(rollbackTo(dataset, 1, false)).rejects.toMatchObject({
      code: "snapshots-newer",
      message: expect.stringContaining(`${dataset}@daily`),
    });
    expect(readFileSync(file, "utf8")).toBe("2");
    await zfs("clone", `${dataset}@daily`, `${pool.name}/clone`);
    await expect(rollbackTo(dataset, 1, true)).rejects.toMatchObject({ code: "checkpoint-in-use" });
    await zfs("destroy", `${pool.name}/clone`);
    await rollbackTo(dataset, 1, true);
    expect(readFileSync(join(await mountDataset(dataset), "file"), "utf8")).toBe("1");
    await zfs("destroy", "-r", dataset);
  });
});

describe("the dataset of an OCI bundle", () => {
  const settings: ZfsSettings = { dataset: "tank/containers", properties: { quota: "10G" } };

  test("is planned from settings and annotations", () => {
    expect(planBundleDataset(id("a"), {}, undefined)).toBeUndefined();
    expect(planBundleDataset(id("a"), { "proxmox-lxcri.zfs": "false" }, settings)).toBeUndefined();
    const asked = { "proxmox-lxcri.zfs.quota": "1G", "proxmox-lxcri.zfs.org.example:team": "a", other: "x" };
    expect(planBundleDataset(id("a+b"), asked, settings)).toEqual({
      dataset: "tank/containers/a:b",
      properties: { quota: "1G", "org.example:team": "a" },
    });
    const below = { ...settings, mountpoints: "/srv/c" };
    const mountpoint = (path: string) => ({ "proxmox-lxcri.zfs.mountpoint": path });
    expect(planBundleDataset(id("a"), mountpoint("/srv/c/a"), below)?.properties.mountpoint).toBe("/srv/c/a");
    for (const path of ["/etc", "/srv/c/../../etc", "/srv/c", "none", "/srv/cc"]) {
      expect(() => planBundleDataset(id("a"), mountpoint(path), below)).toThrow("is not below /srv/c");
    }
    expect(() => planBundleDataset(id("a"), mountpoint("/srv/c/a"), settings)).toThrow("is not below");
    for (const name of ["sharenfs", "canmount", "-o", "volsize"]) {
      expect(() => planBundleDataset(id("a"), { [`proxmox-lxcri.zfs.${name}`]: "x" }, settings)).toThrow(
        `${name} is not a property that a container may set`,
      );
    }
    expect(() => planBundleDataset(id("a"), { "proxmox-lxcri.zfs.quota": "1\n2" }, settings)).toThrow(
      "not a value",
    );
    expect(() => planBundleDataset(id("a"), { "proxmox-lxcri.zfs": "true" }, undefined)).toThrow(
      "no dataset",
    );
    expect(() => planBundleDataset(id("x".repeat(250)), {}, settings)).toThrow("is no name that ZFS takes");
  });

  test("settings are read whole or refused", () => {
    const path = join(folder, "zfs.json");
    expect(readZfsSettings(path)).toBeUndefined();
    const bad: readonly [string, string][] = [
      ["{", "is not JSON"],
      ["1", "is no object"],
      ['{"dataset":"a b"}', "dataset is no name"],
      ['{"dataset":"a","mountpoints":"x"}', "mountpoints is no absolute path"],
      ['{"dataset":"a","properties":1}', "properties is no object"],
      ['{"dataset":"a","properties":{"quota":1}}', "properties.quota is no text"],
    ];
    for (const [text, message] of bad) {
      writeFileSync(path, text);
      expect(() => readZfsSettings(path)).toThrow(message);
    }
    writeFileSync(path, '{"dataset":"tank/c","mountpoints":"/srv","properties":{"quota":"1G"}}');
    expect(readZfsSettings(path)).toEqual({
      dataset: "tank/c",
      mountpoints: "/srv",
      properties: { quota: "1G" },
    });
  });

  test("is filled from the bundle, limited, and destroyed", async () => {
    const rootfs = join(folder, "rootfs");
    mkdirSync(join(rootfs, "etc"), { recursive: true });
    chmodSync(join(rootfs, "etc"), 0o750);
    writeFileSync(join(rootfs, "etc/hostname"), "c");
    const plan = {
      dataset: `${pool.name}/containers/c`,
      properties: { quota: "64M", reservation: "1M", mountpoint: join(folder, "mounted/c") },
    };
    await expect(makeBundleDataset(plan, rootfs)).rejects.toThrow(
      `dataset ${pool.name}/containers is missing, where containers are to be`,
    );
    await zfs("create", `${pool.name}/containers`);
    const made = await makeBundleDataset(plan, rootfs);
    expect(made).toBe(plan.properties.mountpoint);
    expect(readFileSync(join(made, "etc/hostname"), "utf8")).toBe("c");
    expect(statSync(join(made, "etc")).mode & 0o777).toBe(0o750);
    expect(() => writeFileSync(join(made, "big"), Buffer.alloc(80 << 20, "x"))).toThrow(
      /EDQUOT|ENOSPC|quota|space/,
    );
    expect(await findProperty(plan.dataset, "reservation")).toBe(String(1 << 20));
    // what a killed create left is made anew
    expect(existsSync(join(await makeBundleDataset(plan, rootfs), "big"))).toBe(false);
    await takeCheckpoint(plan.dataset, 1);
    await destroyBundleDataset(plan.dataset);
    await destroyBundleDataset(plan.dataset);
    expect(await findProperty(plan.dataset, "type")).toBeUndefined();

    writeFileSync(join(plan.properties.mountpoint, "mine"), "");
    await expect(makeBundleDataset(plan, rootfs)).rejects.toThrow("is not empty");
    await expect(makeBundleDataset({ ...plan, properties: {} }, join(folder, "none"))).rejects.toThrow("cp");
    expect(await findProperty(plan.dataset, "type")).toBeUndefined();
  });
});
