import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked } from "../../host/process.ts";
import { digestOf } from "../../spec/digest.ts";
import { shiftId } from "../tree/shift.ts";
import { LayerStore } from "./layer-store.ts";
import { ShiftedLayers } from "./shifted-layers.ts";

const lines = [
  { containerID: 0, hostID: 100_000, size: 1000 },
  { containerID: 1000, hostID: 5000, size: 1 },
];
const maps = { uidMappings: lines, gidMappings: lines };

let dir: string;
let layers: LayerStore;
let shifted: ShiftedLayers;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lxcri-shifted-"));
  layers = new LayerStore(dir);
  layers.open();
  shifted = new ShiftedLayers(join(dir, "shifted"), layers);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("a copy keeps everything but the owners", async () => {
  const draft = await layers.begin([digestOf("a")]);
  const folder = draft?.folder ?? "";
  mkdirSync(join(folder, "d/e"), { recursive: true });
  writeFileSync(join(folder, "d/su"), "su", { mode: 0o755 });
  await runChecked(["chmod", "6755", join(folder, "d/su")]);
  linkSync(join(folder, "d/su"), join(folder, "hard"));
  symlinkSync("/etc/shadow", join(folder, "link"));
  writeFileSync(join(folder, "ping"), "");
  await runChecked(["setcap", "cap_net_raw+ep", join(folder, "ping")]);
  await runChecked(["mknod", join(folder, "gone"), "c", "0", "0"]);
  writeFileSync(join(folder, "user"), "");
  chownSync(join(folder, "user"), 1000, 999);
  writeFileSync(join(folder, "stranger"), "");
  chownSync(join(folder, "stranger"), 1001, 70_000);
  await draft?.commit(1);

  const copies = await shifted.copies([digestOf("a")], maps);
  expect(await shifted.copies([digestOf("a")], maps)).toBe(copies);
  const copy = join(copies, readdirSync(copies)[0] ?? "");
  expect(readdirSync(copies).length).toBe(1);
  const owner = (name: string) => [lstatSync(join(copy, name)).uid, lstatSync(join(copy, name)).gid];
  for (const name of [".", "d", "d/e", "d/su", "link", "gone"])
    expect(owner(name)).toEqual([100_000, 100_000]);
  expect(owner("user")).toEqual([5000, 100_999]);
  expect(owner("stranger")).toEqual([65_534, 65_534]);
  expect(statSync(join(copy, "d/su")).mode & 0o7777).toBe(0o6755);
  expect(statSync(join(copy, "hard")).ino).toBe(statSync(join(copy, "d/su")).ino);
  expect(lstatSync(join(copy, "gone")).isCharacterDevice()).toBe(true);
  const capability = await runChecked(["getcap", "-n", join(copy, "ping")]);
  expect(capability.stdout).toContain("cap_net_raw=ep [rootid=100000]");
  expect(owner("../../../layers/..")).toEqual([0, 0]);
  expect(lstatSync("/etc/shadow").uid).toBe(0);
});

test("ids outside the map belong to nobody", () => {
  expect([0, 999, 1000, 1001].map((id) => shiftId(lines, id))).toEqual([100_000, 100_999, 5000, 65_534]);
});
