import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { detectLayout, groupsOf, hierarchyOf, parseGroups, parseLayout } from "./hierarchy.ts";

const V2 = "25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const CONTROLLERS = "cpuset cpu io memory pids\n";

describe("parseLayout", () => {
  test("v2 alone, with PID 1 in init.scope: containers go beside it", () => {
    const layout = parseLayout({ mountinfo: V2, pid1: "0::/init.scope\n", controllers: () => CONTROLLERS });
    expect(layout.mode).toBe("unified");
    expect(layout.hierarchies).toEqual([
      {
        version: 2,
        key: "unified",
        controllers: ["cpuset", "cpu", "io", "memory", "pids"],
        mountPoint: "/sys/fs/cgroup",
        base: "/",
        root: "/sys/fs/cgroup",
      },
    ]);
  });

  test("v1 with co-mounted controllers, a named hierarchy and v2 beside them", () => {
    const layout = parseLayout({
      mountinfo: [
        "30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro",
        "31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        "32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
        "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
        "34 30 0:29 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct",
        "35 30 0:30 / /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory",
      ].join("\n"),
      pid1: "4:memory:/\n3:cpu,cpuacct:/\n2:name=systemd:/init.scope\n0::/init.scope\n",
      controllers: () => "",
    });
    expect(layout.mode).toBe("hybrid");
    expect(layout.hierarchies.map((h) => [h.key, h.version, h.root])).toEqual([
      ["unified", 2, "/sys/fs/cgroup/unified"],
      ["name=systemd", 1, "/sys/fs/cgroup/systemd"],
      ["cpu,cpuacct", 1, "/sys/fs/cgroup/cpu,cpuacct"],
      ["memory", 1, "/sys/fs/cgroup/my memory"],
    ]);
    expect(hierarchyOf(layout, "cpuacct")?.key).toBe("cpu,cpuacct");
    expect(hierarchyOf(layout, "freezer")?.key).toBe("unified");
    expect(hierarchyOf(layout, "hugetlb")).toBeUndefined();
  });

  test("inside a container: the group of PID 1 is the base, whether its whole path is mounted or a part", () => {
    const nested = (root: string, group: string) =>
      parseLayout({
        mountinfo: `31 30 0:29 ${root} /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids`,
        pid1: `3:pids:${group}\n`,
        controllers: () => "",
      }).hierarchies[0]?.root;
    expect(nested("/", "/docker/abc")).toBe("/sys/fs/cgroup/pids/docker/abc");
    expect(nested("/docker/abc", "/docker/abc")).toBe("/sys/fs/cgroup/pids");
    expect(nested("/docker/abc", "/docker/abc/init.scope")).toBe("/sys/fs/cgroup/pids");
    expect(nested("/docker/a", "/docker/abc")).toBe("/sys/fs/cgroup/pids/docker/abc");
  });

  test("nothing mounted is an error that says what to mount", () => {
    expect(() => parseLayout({ mountinfo: "", pid1: "0::/\n", controllers: () => "" })).toThrow(
      "no cgroup file system is mounted",
    );
  });

  test("v1 alone is legacy; a mounted hierarchy that PID 1 is not in is left out", () => {
    const layout = parseLayout({
      mountinfo:
        "31 30 0:29 / /c/pids rw - cgroup cgroup rw,pids\n32 30 0:30 / /c/cpu rw - cgroup cgroup rw,cpu",
      pid1: "3:pids:/\n",
      controllers: () => "",
    });
    expect(layout.mode).toBe("legacy");
    expect(layout.hierarchies).toHaveLength(1);
  });
});

test("parseGroups keeps colons of paths and ignores rubbish", () => {
  expect([...parseGroups("5:cpu,cpuacct:/a:b\n0::/c\nrubbish\n")]).toEqual([
    ["cpu", "/a:b"],
    ["cpuacct", "/a:b"],
    ["unified", "/c"],
  ]);
});

test("this machine's layout names folders that are there, and every process has a group in each", () => {
  const layout = detectLayout();
  const groups = groupsOf("self");
  expect(layout.hierarchies.length).toBeGreaterThan(0);
  for (const h of layout.hierarchies) {
    expect(existsSync(`${h.root}/cgroup.procs`)).toBe(true);
    expect(groups.has(h.key === "unified" ? "unified" : (h.controllers[0] ?? ""))).toBe(true);
  }
});
