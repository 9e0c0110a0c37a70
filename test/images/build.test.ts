import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked } from "../../src/host/process.ts";
import { buildBusyboxImage } from "./build.ts";
import { pushLayout, startRegistry } from "./registry.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "lxcri-build-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("umoci unpacks a built image, and its busybox runs", async () => {
  const image = buildBusyboxImage(join(dir, "layout"), { extraFiles: { "srv/hello": "hello\n" } });
  await runChecked(["umoci", "unpack", "--image", `${image.dir}:${image.tag}`, join(dir, "bundle")]);
  const said = await runChecked(["chroot", join(dir, "bundle/rootfs"), "/bin/cat", "/srv/hello"]);
  expect(said.stdout).toBe("hello\n");
});

test("a built image goes to a registry and skopeo reads it there", async () => {
  const image = buildBusyboxImage(join(dir, "pushed"), { config: { User: "33" } });
  const registry = await startRegistry(join(dir, "registry"));
  try {
    await pushLayout(image.dir, image.tag, registry, "busybox:1");
    const seen = await runChecked([
      "skopeo",
      "inspect",
      "--config",
      "--tls-verify=false",
      `docker://${registry.host}/busybox:1`,
    ]);
    expect(JSON.parse(seen.stdout).config.User).toBe("33");
  } finally {
    await registry.stop();
  }
});
