/** Namespaces given by a mounted file, as pods have them: on 6.1 its name does not tell what it is. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { run, runChecked } from "../../src/host/process.ts";
import { VmContainers } from "./containers.fixture.ts";

const containers = new VmContainers();
const name = "lxcri-vm-ns";
const path = `/run/netns/${name}`;
const others = (["pid", "ipc", "uts", "mount", "cgroup"] as const).map((type) => ({ type }));

beforeAll(async () => {
  await runChecked(["ip", "netns", "add", name]);
  await runChecked(["ip", "-n", name, "link", "add", "lxcri-test", "type", "dummy"]);
});
afterAll(async () => {
  await containers.dispose();
  await run(["ip", "netns", "delete", name]);
});

test("is joined", async () => {
  const namespaces = [...others, { type: "network", path } as const];
  const result = await containers.foreground("lxcri-vm-joined", ["/bin/busybox", "ls", "/sys/class/net"], {
    linux: { namespaces },
  });
  expect(result.stdout.split("\n")).toContain("lxcri-test");
});

test("of another type is refused", async () => {
  const namespaces = [...others.filter(({ type }) => type !== "ipc"), { type: "ipc", path } as const];
  const result = await containers.foreground("lxcri-vm-wrong", ["/bin/true"], { linux: { namespaces } });
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain(`${path}: is no ipc namespace`);
});
