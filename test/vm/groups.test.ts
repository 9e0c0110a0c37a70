/** Which group of cgroup v2 a process of a container is in; groups that the container makes itself. */
import { afterAll, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { eventually } from "../conformance/engine.ts";
import { control, unprivileged, VmContainers } from "./containers.fixture.ts";

const containers = new VmContainers();
afterAll(() => containers.dispose());

test("exec joins the leaf, which is the root of the container's own view", async () => {
  const id = "lxcri-vm-exec";
  await containers.start(id, ["/bin/sleep", "1000"]);
  expect(await containers.ok("exec", id, "/bin/cat", "/proc/self/cgroup")).toBe("0::/\n");
  const pidFile = `${containers.folder}/exec.pid`;
  const argv = containers.argv("exec", "--detach", "--pid-file", pidFile, id, "/bin/sleep", "1000");
  expect(Bun.spawnSync(argv, { stdio: ["ignore", "ignore", "inherit"] }).exitCode).toBe(0);
  const members = control(containers.group(id), "cgroup.procs").split("\n");
  expect(members).toContain(readFileSync(pidFile, "utf8"));
  expect(await containers.remove(id)).toEqual([]);
});

test("an unprivileged container manages groups below its own; exec enters where init is", async () => {
  const id = "lxcri-vm-nested";
  const script = `cd /sys/fs/cgroup && busybox mkdir init work && echo 1 >init/cgroup.procs &&
    echo +pids >cgroup.subtree_control && echo 5 >work/pids.max && echo made && exec sleep 1000`;
  await containers.start(id, ["/bin/sh", "-c", script.replaceAll("busybox", "/bin/busybox")], unprivileged);
  await eventually("groups", () => containers.output(id) !== "");
  expect(containers.output(id)).toBe("made\n");

  const leaf = `/sys/fs/cgroup/lxcri-${id}`;
  expect(containers.group(id)).toBe(`${leaf}/init`);
  expect(control(leaf, "work/pids.max")).toBe("5");
  expect(statSync(leaf).uid).toBe(100_000);
  expect(statSync(`${leaf}/memory.max`).uid).toBe(0);
  expect(await containers.ok("exec", id, "/bin/cat", "/proc/self/cgroup")).toBe("0::/init\n");
  expect(await containers.ok("exec", "--cgroup", "/work", id, "/bin/cat", "/proc/self/cgroup")).toBe(
    "0::/work\n",
  );
  expect(await containers.remove(id)).toEqual([]);
});

test("a privileged container cannot write to its groups where they are mounted read-only", async () => {
  const result = await containers.foreground(
    "lxcri-vm-read-only",
    ["/bin/busybox", "mkdir", "/sys/fs/cgroup/inner"],
    { mounts: [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] }] },
  );
  expect(result.stderr).toContain("Read-only file system");
});

test("checkpoint says that it cannot yet", async () => {
  const id = "lxcri-vm-checkpoint";
  await containers.start(id, ["/bin/sleep", "1000"]);
  const result = await containers.run("checkpoint", "--image-path", `${containers.folder}/cp`, id);
  expect(result).toMatchObject({ exitCode: 1, stdout: "" });
  expect(result.stderr).toContain("not yet supported");
  expect(await containers.remove(id)).toEqual([]);
});
