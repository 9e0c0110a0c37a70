import { describe, expect, test } from "bun:test";
import type { Mount } from "../spec/config.ts";
import { MOUNT_ATTR, MS } from "../spec/mount-options.ts";
import { destinationOf, type MountContext, planMounts, type VisibleHierarchy } from "./mount-plan.ts";
import { pairs } from "./plan.fixture.ts";

const context: MountContext = {
  bundle: "/bundle",
  hierarchies: [],
  userNamespace: false,
  cgroupNamespace: true,
};

type Shown = Readonly<Record<string, string>>;

/** The records with their keys' values; those of lists are joined by `;`. */
const plan = (mounts: readonly Mount[], more: Partial<MountContext> = {}): [string, Shown][] =>
  planMounts(mounts, { ...context, ...more }).map((record) => {
    const shown: Record<string, string> = {};
    for (const [key, value] of pairs(record.plan))
      shown[key] = key in shown ? `${shown[key]};${value}` : value;
    return [record.key, shown];
  });

const one = (mount: Mount, more: Partial<MountContext> = {}): [string, Shown] => {
  const records = plan([mount], more);
  expect(records.length).toBe(1);
  return records[0] ?? ["", {}];
};

const proc = (...options: readonly string[]): Shown =>
  one({ destination: "/proc", type: "proc", source: "proc", options })[1];
const tmpfs = (...options: readonly string[]): [string, Shown][] =>
  plan([{ destination: "/t", type: "tmpfs", options }]);
const bind = (options: readonly string[], more: Partial<MountContext> = {}): [string, Shown] =>
  one({ destination: "/data", source: "/host/data", options: ["rbind", ...options] }, more);

describe("destinations", () => {
  test.each([
    ["/a/b", "/a/b"],
    ["a/b", "/a/b"],
    ["/a/../b/", "/b"],
    ["../../etc", "/etc"],
    ["/", "/"],
    ["//a", "/a"],
  ])("%s is %s", (destination, wanted) => {
    expect(destinationOf({ destination })).toBe(wanted);
  });
});

describe("file systems", () => {
  test("the source is the type where there is none", () => {
    expect(one({ destination: "/proc", type: "proc" })).toEqual([
      "filesystem",
      { dest: "/proc", type: "proc", source: "proc", data: "", set: "0", clear: "0" },
    ]);
  });

  test.each([
    ["ro", MOUNT_ATTR.RDONLY],
    ["nosuid", MOUNT_ATTR.NOSUID],
    ["nodev", MOUNT_ATTR.NODEV],
    ["noexec", MOUNT_ATTR.NOEXEC],
    ["nodiratime", MOUNT_ATTR.NODIRATIME],
    ["nosymfollow", MOUNT_ATTR.NOSYMFOLLOW],
  ])("%s is an attribute of the mount", (option, attribute) => {
    expect(proc(option)).toMatchObject({ set: `${attribute}`, clear: "0", data: "" });
  });

  test.each([
    ["rw", MOUNT_ATTR.RDONLY],
    ["suid", MOUNT_ATTR.NOSUID],
    ["dev", MOUNT_ATTR.NODEV],
    ["exec", MOUNT_ATTR.NOEXEC],
    ["diratime", MOUNT_ATTR.NODIRATIME],
    ["symfollow", MOUNT_ATTR.NOSYMFOLLOW],
  ])("%s clears one", (option, attribute) => {
    expect(proc(option)).toMatchObject({ set: "0", clear: `${attribute}` });
  });

  test.each([
    [["noatime"], MOUNT_ATTR.NOATIME],
    [["strictatime"], MOUNT_ATTR.STRICTATIME],
    [["relatime"], 0],
    [["noatime", "strictatime"], MOUNT_ATTR.NOATIME],
    [["noatime", "atime"], 0],
  ])("%j: the atime field is cleared as a whole, then set", (options, set) => {
    expect(proc(...options)).toMatchObject({ set: `${set}`, clear: `${MOUNT_ATTR.ATIME}` });
  });

  test("the later of two options wins", () => {
    expect(proc("ro", "rw")).toMatchObject({ set: "0", clear: `${MOUNT_ATTR.RDONLY}` });
    expect(proc("rw", "ro")).toMatchObject({ set: `${MOUNT_ATTR.RDONLY}`, clear: "0" });
  });

  test("flags of the file system go with its data, unknown options as they are, x-… nowhere", () => {
    expect(proc("sync", "dirsync", "mand", "lazytime", "hidepid=2", "x-systemd.automount").data).toBe(
      "hidepid=2,sync,dirsync,mand,lazytime",
    );
  });

  test("recursive attributes are apart", () => {
    expect(proc("rro", "rnosuid", "rstrictatime")).toMatchObject({
      set: "0",
      recset: `${MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.STRICTATIME}`,
      recclear: `${MOUNT_ATTR.ATIME}`,
    });
    expect(proc("ro")).not.toHaveProperty("recset");
  });

  test("propagation keeps its order", () => {
    expect(proc("rprivate", "shared").propagation).toBe(`${MS.PRIVATE | MS.REC};${MS.SHARED}`);
    expect(proc("ro")).not.toHaveProperty("propagation");
  });

  test("a block device that is read-only is not written to by its file system either", () => {
    const disk = (source: string, ...options: readonly string[]) =>
      one({ destination: "/d", type: "ext4", source, options })[1].data;
    expect(disk("/dev/sda1", "ro", "noload")).toBe("noload,ro");
    expect(disk("/dev/sda1", "noload")).toBe("noload");
    expect(disk("somewhere", "ro")).toBe("");
  });
});

describe("tmpfs", () => {
  test("a read-only one is filled first and becomes so after all mounts, inner ones before outer ones", () => {
    const records = plan([
      { destination: "/a", type: "tmpfs", options: ["ro", "nosuid", "size=1m"] },
      { destination: "/a/b", type: "tmpfs", options: ["ro"] },
      { destination: "/a/b/c", type: "tmpfs" },
    ]);
    expect(records.map(([key, { dest, set }]) => [key, dest, set])).toEqual([
      ["filesystem", "/a", `${MOUNT_ATTR.NOSUID}`],
      ["filesystem", "/a/b", "0"],
      ["filesystem", "/a/b/c", "0"],
      ["remount", "/a/b", `${MOUNT_ATTR.RDONLY}`],
      ["remount", "/a", `${MOUNT_ATTR.RDONLY}`],
    ]);
    expect(records[0]?.[1].data).toBe("size=1m");
  });

  test("tmpcopyup is for a tmpfs only", () => {
    expect(tmpfs("tmpcopyup")[0]?.[1]).toMatchObject({ "copy-up": "1", data: "" });
    expect(tmpfs()[0]?.[1]).not.toHaveProperty("copy-up");
    expect(proc("tmpcopyup")).not.toHaveProperty("copy-up");
  });
});

describe("labels", () => {
  const mountLabel = "system_u:object_r:container_file_t:s0:c1,c2";

  test("are quoted, since categories have commas", () => {
    const [, { data }] = one({ destination: "/t", type: "tmpfs", options: ["size=1m"] }, { mountLabel });
    expect(data).toBe(`size=1m,context="${mountLabel}"`);
  });

  test.each(["proc", "sysfs", "cgroup2", "devpts", "mqueue"])("%s takes none", (type) => {
    expect(one({ destination: "/x", type }, { mountLabel })[1].data).toBe("");
  });

  test("the folder of v1 hierarchies has it too", () => {
    const [first] = plan([{ destination: "/sys/fs/cgroup", type: "cgroup" }], { mountLabel });
    expect(first?.[1].data).toBe(`mode=755,context="${mountLabel}"`);
  });
});

describe("binds", () => {
  test("a relative source counts from the bundle", () => {
    const mount = { destination: "/data", source: "sub/dir", options: ["bind"] };
    expect(one(mount)[1].source).toBe("/bundle/sub/dir");
    expect(one({ ...mount, source: "/abs" })[1].source).toBe("/abs");
  });

  test("type bind alone is a plain bind", () => {
    const [key, record] = one({ destination: "/data", type: "bind", source: "/s" });
    expect(key).toBe("late-bind");
    expect(record).not.toHaveProperty("recursive");
    expect(bind([])[1].recursive).toBe("1");
  });

  test("options are attributes: set, cleared, recursive", () => {
    expect(bind(["ro", "suid", "rnodev"])[1]).toMatchObject({
      set: `${MOUNT_ATTR.RDONLY}`,
      clear: `${MOUNT_ATTR.NOSUID}`,
      recset: `${MOUNT_ATTR.NODEV}`,
    });
  });

  test.each([
    ["plain", [], {}, "late-bind"],
    ["private", ["rprivate"], {}, "late-bind"],
    ["slave", ["rslave"], {}, "late-bind"],
    ["shared: it has to stay a peer of the host's", ["rshared"], {}, "bind"],
    ["with mapped ids", ["idmap"], {}, "bind"],
    ["in a user namespace, whose root may not reach the source", [], { userNamespace: true }, "bind"],
  ] as const)("%s is opened at the right time", (_name, options, more, key) => {
    expect(bind(options, more)[0]).toBe(key);
  });
});

describe("id-mapped mounts", () => {
  const own = { containerID: 0, hostID: 1000, size: 10 };
  const container = { containerID: 0, hostID: 100000, size: 65536 };

  test("with mappings of their own, without the option too", () => {
    const [key, record] = one({
      destination: "/data",
      source: "/s",
      options: ["bind"],
      uidMappings: [own],
      gidMappings: [own, { ...own, containerID: 20 }],
    });
    expect(key).toBe("bind");
    expect(record).toMatchObject({ "idmap-uid": "0 1000 10", "idmap-gid": "0 1000 10;20 1000 10" });
    expect(record).not.toHaveProperty("idmap-recursive");
  });

  test("without, those of the container; ridmap for all that lies below", () => {
    const more = { uidMappings: [container], gidMappings: [container] };
    expect(bind(["ridmap"], more)[1]).toMatchObject({
      "idmap-uid": "0 100000 65536",
      "idmap-gid": "0 100000 65536",
      "idmap-recursive": "1",
    });
    expect(bind([], more)[1]).not.toHaveProperty("idmap-uid");
  });

  test("file systems as well", () => {
    expect(
      one({ destination: "/t", type: "tmpfs", uidMappings: [own], gidMappings: [own] })[1],
    ).toMatchObject({ "idmap-uid": "0 1000 10", "idmap-gid": "0 1000 10" });
  });
});

test("remount changes what is there, whatever else the mount says", () => {
  expect(
    one({ destination: "/proc/", type: "proc", source: "proc", options: ["remount", "ro", "rnosuid"] }),
  ).toEqual([
    "remount",
    {
      dest: "/proc",
      set: `${MOUNT_ATTR.RDONLY}`,
      clear: "0",
      recset: `${MOUNT_ATTR.NOSUID}`,
      recclear: "0",
    },
  ]);
});

describe("cgroup", () => {
  const mount: Mount = { destination: "/sys/fs/cgroup", type: "cgroup", options: ["nosuid", "ro"] };
  const unified: VisibleHierarchy = {
    version: 2,
    name: "cgroup",
    controllers: [],
    leaf: "/sys/fs/cgroup/one",
  };
  const legacy: VisibleHierarchy[] = [
    {
      version: 1,
      name: "cpu,cpuacct",
      controllers: ["cpu", "cpuacct"],
      leaf: "/sys/fs/cgroup/cpu,cpuacct/one",
    },
    { version: 1, name: "systemd", controllers: ["name=systemd"], leaf: "/sys/fs/cgroup/systemd/one" },
    { version: 2, name: "unified", controllers: [], leaf: "/sys/fs/cgroup/unified/one" },
  ];
  const restricted = `${MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID}`;

  test("v2 in a namespace of its own is mounted", () => {
    expect(plan([mount], { hierarchies: [unified] })).toEqual([
      [
        "filesystem",
        { dest: "/sys/fs/cgroup", set: restricted, clear: "0", type: "cgroup2", source: "cgroup" },
      ],
    ]);
  });

  test("v2 without one: the container's group is bound", () => {
    expect(plan([mount], { hierarchies: [unified], cgroupNamespace: false })).toEqual([
      [
        "late-bind",
        { dest: "/sys/fs/cgroup", set: restricted, clear: "0", source: "/sys/fs/cgroup/one", recursive: "1" },
      ],
    ]);
  });

  test("v1 in a namespace: a folder for each hierarchy, links for controllers that share one", () => {
    const nosuid = `${MOUNT_ATTR.NOSUID}`;
    const records = plan([{ ...mount, options: ["nosuid"] }], { hierarchies: legacy });
    const dest = "/sys/fs/cgroup";
    expect(records).toEqual([
      [
        "filesystem",
        {
          dest,
          type: "tmpfs",
          source: "tmpfs",
          set: `${MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC}`,
          data: "mode=755",
        },
      ],
      [
        "filesystem",
        { dest: `${dest}/cpu,cpuacct`, set: nosuid, type: "cgroup", source: "cgroup", data: "cpu,cpuacct" },
      ],
      ["link", { dest: `${dest}/cpu`, target: "cpu,cpuacct" }],
      ["link", { dest: `${dest}/cpuacct`, target: "cpu,cpuacct" }],
      [
        "filesystem",
        { dest: `${dest}/systemd`, set: nosuid, type: "cgroup", source: "cgroup", data: "name=systemd" },
      ],
      ["filesystem", { dest: `${dest}/unified`, set: nosuid, type: "cgroup2", source: "cgroup", data: "" }],
    ]);
  });

  test("v1 without one: each group is bound; a read-only folder is so at the end", () => {
    const records = plan([mount, { destination: "/t", type: "tmpfs" }], {
      hierarchies: legacy,
      cgroupNamespace: false,
    });
    expect(records.map(([key, { dest, source }]) => [key, dest, source])).toEqual([
      ["filesystem", "/sys/fs/cgroup", "tmpfs"],
      ["late-bind", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/one"],
      ["link", "/sys/fs/cgroup/cpu", undefined],
      ["link", "/sys/fs/cgroup/cpuacct", undefined],
      ["late-bind", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/systemd/one"],
      ["late-bind", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/one"],
      ["filesystem", "/t", "tmpfs"],
      ["remount", "/sys/fs/cgroup", undefined],
    ]);
  });

  test("a lone v1 hierarchy is not taken for v2", () => {
    const [first] = plan([mount], { hierarchies: legacy.slice(0, 1) });
    expect(first?.[1].type).toBe("tmpfs");
  });
});
