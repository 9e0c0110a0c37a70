/** `--systemd-cgroup`: a container in a scope of systemd's, with its limits, from create to delete. */
import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { run } from "../../src/host/process.ts";
import { eventually } from "../conformance/engine.ts";
import { control, unprivileged, VmContainers } from "./containers.fixture.ts";

const containers = new VmContainers("--systemd-cgroup");
afterAll(async () => {
  await containers.dispose();
  await run(["systemctl", "stop", "lxcrivm.slice"]);
});

const sleep = ["/bin/sleep", "1000"];
const unit = (id: string): string => `lxcri-${id}.scope`;
const path = (id: string): string => `lxcrivm.slice:lxcri:${id}`;
const property = async (id: string, name: string): Promise<string> =>
  (await run(["systemctl", "show", "--value", "--property", name, unit(id)])).stdout.trim();
const gone = (id: string) =>
  eventually("the scope ends", async () => (await property(id, "LoadState")) === "not-found");

test("create, start, exec, update, delete", async () => {
  const id = "lxcri-vm-scope";
  const resources = {
    memory: { limit: 64 << 20, swap: 64 << 20 },
    pids: { limit: 50 },
    cpu: { shares: 2048 },
  };
  const annotations = {
    "org.systemd.property.TimeoutStopUSec": "uint64 5000000",
    "org.systemd.property.TasksMax": "uint64 40",
  };
  await containers.start(id, sleep, { linux: { cgroupsPath: path(id), resources }, annotations });
  const scope = `/sys/fs/cgroup/lxcrivm.slice/${unit(id)}`;
  expect(containers.group(id)).toBe(`${scope}/container`);
  expect(await property(id, "ActiveState")).toBe("active");
  expect(await property(id, "Slice")).toBe("lxcrivm.slice");
  expect(await property(id, "Delegate")).toBe("yes");
  expect(await property(id, "MemoryMax")).toBe(String(64 << 20));
  expect(await property(id, "CPUWeight")).toBe("174");
  expect(await property(id, "TimeoutStopUSec")).toBe("5s");
  expect(await property(id, "TasksMax")).toBe("40");
  expect(control(scope, "memory.max")).toBe(String(64 << 20));
  expect(control(scope, "container/memory.max")).toBe(String(64 << 20));
  expect(control(scope, "container/pids.max")).toBe("50");
  // Nothing but the container is left in it.
  expect(existsSync(`${scope}/lxcri-hold`)).toBe(false);

  expect(await containers.ok("exec", id, "/bin/cat", "/proc/self/cgroup")).toBe("0::/\n");
  await containers.ok("update", "--memory", String(96 << 20), "--memory-swap", String(96 << 20), id);
  expect(await property(id, "MemoryMax")).toBe(String(96 << 20));
  expect(control(scope, "container/memory.max")).toBe(String(96 << 20));
  // systemd writes what it knows once more, and undoes nothing.
  expect((await run(["systemctl", "daemon-reload"])).exitCode).toBe(0);
  expect(control(scope, "memory.max")).toBe(String(96 << 20));
  expect(control(scope, "container/memory.max")).toBe(String(96 << 20));

  expect(await containers.remove(id)).toEqual([]);
  expect(await property(id, "LoadState")).toBe("not-found");
});

test("a limit of one process and little memory does not hit what sets the container up", async () => {
  const id = "lxcri-vm-tight";
  const resources = { pids: { limit: 1 }, memory: { limit: 4 << 20, swap: 4 << 20 } };
  await containers.start(id, sleep, { linux: { cgroupsPath: path(id), resources } });
  expect(await property(id, "TasksMax")).toBe("1");
  expect(JSON.parse(await containers.ok("state", id)).status).toBe("running");
  expect(await containers.remove(id)).toEqual([]);
});

test("the scope ends with its container, before delete", async () => {
  const id = "lxcri-vm-ends";
  const result = await containers.foreground(id, ["/bin/cat", "/proc/self/cgroup"], {
    linux: { cgroupsPath: path(id) },
  });
  expect(result).toEqual({ stdout: "0::/\n", stderr: "", exitCode: 0 });
  await gone(id);
});

test("an unprivileged container may divide its part of the scope", async () => {
  const id = "lxcri-vm-delegated";
  const linux = { ...unprivileged.linux, cgroupsPath: path(id) };
  const script =
    "/bin/busybox mkdir /sys/fs/cgroup/inner && echo 1 >/sys/fs/cgroup/inner/cgroup.procs && sleep 1000";
  await containers.start(id, ["/bin/sh", "-c", script], { ...unprivileged, linux });
  const scope = `/sys/fs/cgroup/lxcrivm.slice/${unit(id)}`;
  await eventually("its group", () => containers.group(id) === `${scope}/container/inner`);
  expect(await containers.remove(id)).toEqual([]);
});

test("a create that fails leaves no scope", async () => {
  const id = "lxcri-vm-fails";
  const failure = await containers.create(id, ["/bin/none"], { linux: { cgroupsPath: path(id) } });
  expect(failure).toContain("no such file or directory");
  expect(await property(id, "LoadState")).toBe("not-found");
});

test("a property that systemd does not know fails create, with its words", async () => {
  const id = "lxcri-vm-property";
  const failure = await containers.create(id, sleep, {
    linux: { cgroupsPath: path(id) },
    annotations: { "org.systemd.property.NoSuchProperty": "'x'" },
  });
  expect(failure).toContain("NoSuchProperty");
  await gone(id);
});

test("two containers of one scope: the second is refused, the first lives on", async () => {
  const [first, second] = ["lxcri-vm-first", "lxcri-vm-second"];
  await containers.start(first, sleep, { linux: { cgroupsPath: path(first) } });
  const failure = await containers.create(second, sleep, { linux: { cgroupsPath: path(first) } });
  expect(failure).toContain(unit(first));
  expect(JSON.parse(await containers.ok("state", first)).status).toBe("running");
  expect(await property(first, "ActiveState")).toBe("active");
  expect(await containers.remove(first)).toEqual([]);
});

test("a create that is killed leaves what delete --force clears", async () => {
  const id = "lxcri-vm-killed";
  const linux = { cgroupsPath: path(id) };
  const bundle = containers.bundle(id, sleep, {
    linux,
    hooks: { createRuntime: [{ path: "/bin/sleep", args: ["sleep", "600"] }] },
  });
  const creating = Bun.spawn(containers.argv("create", "--bundle", bundle, id), {
    stdio: ["ignore", "ignore", "ignore"],
  });
  await eventually("the scope", async () => (await property(id, "ActiveState")) === "active");
  await eventually("the leaf", () => existsSync(`/sys/fs/cgroup/lxcrivm.slice/${unit(id)}/container`));
  creating.kill("SIGKILL");
  await creating.exited;
  await containers.ok("delete", "--force", id);
  await gone(id);
});
