/** runtime-spec config.md, "Linux mount options", and `linux.rootfsPropagation`: what mounts carry, and where to. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runChecked } from "../../../src/host/process.ts";
import { TestBundle } from "./bundle.ts";
import { bind, HostTree, optionsOf } from "./host-tree.ts";

describe("propagation, seen on the host", () => {
  const mountInside =
    "mount -t tmpfs new /shared/new && touch /shared/new/file && echo made > /made; sleep 100";
  const may = {
    capabilities: { bounding: ["CAP_SYS_ADMIN"], effective: ["CAP_SYS_ADMIN"], permitted: ["CAP_SYS_ADMIN"] },
  };

  async function made(bundle: TestBundle): Promise<void> {
    for (let i = 0; i < 200 && !existsSync(join(bundle.rootfs, "made")); i += 1) await Bun.sleep(10);
    expect(existsSync(join(bundle.rootfs, "made"))).toBe(true);
  }

  test("rshared carries mounts both ways", async () => {
    await using bundle = await TestBundle.make();
    await using source = await HostTree.make(bundle, "shared");
    mkdirSync(join(source.path, "new"));
    await bundle.start({
      script: mountInside,
      process: may,
      mounts: [bind(source.path, "/shared", "rbind", "rshared")],
    });
    await made(bundle);
    expect(readdirSync(join(source.path, "new"))).toEqual(["file"]);
  });

  test("rslave carries them inwards only", async () => {
    await using bundle = await TestBundle.make();
    await using source = await HostTree.make(bundle, "shared");
    mkdirSync(join(source.path, "new"));
    mkdirSync(join(source.path, "late"));
    await bundle.start({
      script: mountInside,
      process: may,
      mounts: [bind(source.path, "/shared", "rbind", "rslave")],
    });
    await made(bundle);
    expect(readdirSync(join(source.path, "new"))).toEqual([]);
    await runChecked(["mount", "-t", "tmpfs", "late", join(source.path, "late")]);
    writeFileSync(join(source.path, "late/file"), "");
    expect(await bundle.ok("exec", bundle.id, "ls", "/shared/late")).toBe("file\n");
  });

  test("rprivate, the default, carries nothing", async () => {
    await using bundle = await TestBundle.make();
    await using source = await HostTree.make(bundle, "shared");
    mkdirSync(join(source.path, "new"));
    mkdirSync(join(source.path, "late"));
    await bundle.start({
      script: mountInside,
      process: may,
      mounts: [bind(source.path, "/shared", "rbind")],
    });
    await made(bundle);
    await runChecked(["mount", "-t", "tmpfs", "late", join(source.path, "late")]);
    writeFileSync(join(source.path, "late/file"), "");
    expect(readdirSync(join(source.path, "new"))).toEqual([]);
    expect(await bundle.ok("exec", bundle.id, "ls", "/shared/late")).toBe("");
  });

  test.each([
    ["shared", /shared:/],
    ["slave", /^(?!.*shared:)/],
    ["private", /^(?!.*(shared:|master:|unbindable))/],
    ["unbindable", /unbindable/],
  ] as const)("rootfsPropagation %s", async (rootfsPropagation, expected) => {
    await using bundle = await TestBundle.make();
    expect(await bundle.output({ script: optionsOf("/"), linux: { rootfsPropagation } })).toMatch(expected);
  });
});
