import { expect, test } from "bun:test";
import { parseContainerId } from "../../spec/container-id.ts";
import { pvePlace, TestFolder } from "../places.fixture.ts";
import { chooseLocation } from "../settings.ts";
import { openStorage } from "../storage.ts";
import { allocVolume, pathOfVolume } from "./pvesm.ts";

const place = { storage: "shared", vmid: 900_123, size: 1 };

test("a container's life is these calls of pvesm", async () => {
  await using pve = await pvePlace();
  using data = new TestFolder();
  openStorage(data.path);
  chooseLocation(data.path, pve.location);
  const storage = openStorage(data.path);
  const id = parseContainerId("web");
  await storage.prepare(id, []);
  const calls = pve.calls();
  const volume = /vm-900123-lxcri-[0-9a-f]{20}\.raw/.exec(calls.join("\n"))?.[0] ?? "";
  const list = "list shared --vmid 900123";
  expect(calls).toEqual([
    list,
    "status --storage shared",
    `alloc shared 900123 ${volume} 1G --format raw`,
    list,
    `path shared:900123/${volume}`,
  ]);
  await storage.remount(id);
  await storage.remove(id);
  expect(pve.calls()).toEqual([list, `free shared:900123/${volume}`]);
});

test("a storage that is not active, and a volume that is not here, are named", async () => {
  const before = process.env.PATH;
  process.env.PATH = "/nowhere";
  try {
    await expect(allocVolume(place, "x")).rejects.toMatchObject({ code: "pve-missing" });
  } finally {
    process.env.PATH = before;
  }
  await using _pve = await pvePlace();
  await expect(pathOfVolume("shared:900123/none")).rejects.toThrow("is not there on this node");
});
