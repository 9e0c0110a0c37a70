import { describe, expect, test } from "bun:test";
import { expandSlice, planGroups } from "./group-path.ts";
import { type CgroupLayout, parseLayout } from "./hierarchy.ts";

const unified = (pid1 = "/init.scope"): CgroupLayout =>
  parseLayout({
    mountinfo: "25 20 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    pid1: `0::${pid1}\n`,
    controllers: () => "memory",
  });
const hybrid = parseLayout({
  mountinfo: [
    "31 30 0:27 / /c/unified rw - cgroup2 cgroup2 rw",
    "32 30 0:28 / /c/memory rw - cgroup cgroup rw,memory",
    "33 30 0:29 / /c/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
  ].join("\n"),
  pid1: "2:memory:/\n3:cpu,cpuacct:/\n0::/\n",
  controllers: () => "",
});

const plan = (cgroupsPath?: string, layout = unified()) =>
  planGroups(layout, { id: "web-1", driver: "cgroupfs", cgroupsPath });

describe("cgroupfs paths", () => {
  test.each([
    [undefined, "lxcri-web-1"],
    ["", "lxcri-web-1"],
    ["/libpod_parent/libpod-12ab", "libpod_parent/libpod-12ab"],
    ["relative/path", "relative/path"],
    ["/a//b/./c/", "a/b/c"],
    ["/kubepods/pod1/c", "kubepods/pod1/c"],
  ])("%p → %p", (asked, path) => {
    const { path: got, leaves, monitor, scope } = plan(asked);
    expect(got).toBe(path);
    expect(leaves).toEqual({ unified: `/sys/fs/cgroup/${path}` });
    expect(monitor).toBe(`lxcri-monitor-${process.pid}-web-1`);
    expect(scope).toBeUndefined();
  });

  test.each([
    ["/a/../b", 'contains ".."'],
    ["../../x", 'contains ".."'],
    ["/a\nlxc.include = /etc/evil", "control character"],
    ["/a\0b", "control character"],
    ["/", "names the root group"],
    ["/./", "names the root group"],
    [`/${"x".repeat(256)}`, "longer than 255 bytes"],
    [`/${"x/".repeat(1600)}y`, "longer than 3000 bytes"],
    ["/a ", "blank or a quote"],
    ['/"a"', "blank or a quote"],
  ])("%p is refused", (asked, why) => {
    expect(() => plan(asked)).toThrow(why);
  });

  test("an id with a slash is refused", () => {
    expect(() => planGroups(unified(), { id: "../x", driver: "cgroupfs" })).toThrow(
      "a container id is one name",
    );
  });

  test("the longest ids give names that the kernel takes, each its own", () => {
    const names = ["a", "b"].flatMap((end) => {
      const { path, monitor } = planGroups(unified(), { id: `${"x".repeat(254)}${end}`, driver: "cgroupfs" });
      return [path, monitor];
    });
    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(name.length).toBeLessThanOrEqual(255);
  });

  test("every hierarchy gets the same name, keyed as a record keeps it", () => {
    const { leaves, monitors } = plan("/x/y", hybrid);
    expect(leaves).toEqual({
      unified: "/c/unified/x/y",
      memory: "/c/memory/x/y",
      "cpu,cpuacct": "/c/cpu,cpuacct/x/y",
    });
    expect(monitors["cpu,cpuacct"]).toBe(`/c/cpu,cpuacct/lxcri-monitor-${process.pid}-web-1`);
  });

  test("in a container of our own an absolute path stays below PID 1's group, named or not", () => {
    const nested = unified("/docker/abc");
    expect(plan("/x", nested)).toMatchObject({
      path: "x",
      leaves: { unified: "/sys/fs/cgroup/docker/abc/x" },
    });
    expect(plan("/docker/abc/x", nested).leaves).toEqual({ unified: "/sys/fs/cgroup/docker/abc/x" });
  });
});

describe("systemd paths", () => {
  const scope = (cgroupsPath?: string, layout = unified()) =>
    planGroups(layout, { id: "web-1", driver: "systemd", cgroupsPath });

  test.each([
    [undefined, "system.slice", "lxcri-web-1.scope", "system.slice"],
    [":crio:12ab", "system.slice", "crio-12ab.scope", "system.slice"],
    ["machine.slice:libpod:12ab", "machine.slice", "libpod-12ab.scope", "machine.slice"],
    ["a-b-c.slice::x", "a-b-c.slice", "x.scope", "a.slice/a-b.slice/a-b-c.slice"],
    ["-.slice:p:x", "-.slice", "p-x.scope", ""],
  ])("%p", (asked, slice, unit, parent) => {
    const folder = parent === "" ? unit : `${parent}/${unit}`;
    expect(scope(asked)).toMatchObject({
      path: `${folder}/container`,
      leaves: { unified: `/sys/fs/cgroup/${folder}/container` },
      scope: { slice, unit, folders: { unified: `/sys/fs/cgroup/${folder}` } },
    });
  });

  test.each([
    ["/kubepods/x", "slice:prefix:name"],
    ["a.slice:b", "slice:prefix:name"],
    ["a.slice:b:", "slice:prefix:name"],
    ["a:b:c", "is no slice"],
    ["a--b.slice:p:n", "two in a row"],
    ["-a.slice:p:n", "begins or ends with a dash"],
    ["../x.slice:p:n", "character that units must not have"],
    ["a.slice:p:../../x", "is no unit name"],
    ["a.slice:p:n\n", "is no unit name"],
    ["a.slice:p:n.slice", "cannot be a slice"],
    [`a.slice:p:${"n".repeat(260)}`, "is no unit name"],
  ])("%p is refused", (asked, why) => {
    expect(() => scope(asked)).toThrow(why);
  });
});

test("expandSlice", () => {
  expect(expandSlice("kubepods-besteffort-pod1.slice")).toBe(
    "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice",
  );
  expect(expandSlice("system.slice")).toBe("system.slice");
});
