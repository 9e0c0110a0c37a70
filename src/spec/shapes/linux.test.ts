import { describe, expect, test } from "bun:test";
import { NAMESPACE_TYPES } from "../names.ts";
import { faultsWith, judgeWith, namespaces } from "../testing.ts";

const mapping = [{ containerID: 0, hostID: 100000, size: 65536 }];

const good: [string, Record<string, unknown>][] = [
  ["no linux at all, where nothing needs it", { linux: undefined, hostname: undefined }],
  [
    "every namespace",
    {
      "linux.namespaces": NAMESPACE_TYPES.map((type) => ({ type })),
      "linux.uidMappings": mapping,
      "linux.gidMappings": mapping,
    },
  ],
  [
    "namespaces by path",
    { "linux.namespaces": [{ type: "uts" }, { type: "network", path: "/run/netns/a" }] },
  ],
  [
    "a user namespace by path without mappings",
    { "linux.namespaces": [{ type: "uts" }, { type: "user", path: "/proc/1/ns/user" }] },
  ],
  [
    "time offsets",
    {
      "linux.namespaces": namespaces("time"),
      "linux.timeOffsets": { boottime: { secs: -5, nanosecs: 999999999 }, monotonic: { secs: 60 } },
    },
  ],
  ["cgroups paths", { "linux.cgroupsPath": "/kubepods/pod1/x..y" }],
  ["a systemd cgroups path", { "linux.cgroupsPath": "system.slice:cri:abc" }],
  ["recursive rootfs propagation, as Docker sends it", { "linux.rootfsPropagation": "rslave" }],
  ["a personality", { "linux.personality": { domain: "LINUX32", flags: [] } }],
  ["a label", { "linux.mountLabel": "system_u:object_r:t:s0:c1,c2" }],
  [
    "network devices",
    { "linux.netDevices": { eth0: { name: "ceth%d" }, eth1: { name: "ceth%d" }, eth2: {} } },
  ],
  [
    "RDT",
    {
      "linux.intelRdt": {
        closID: "/",
        l3CacheSchema: "L3:0=f",
        memBwSchema: "MB:0=20",
        schemata: ["L2:0=f"],
        enableMonitoring: true,
      },
    },
  ],
  [
    "a memory policy",
    { "linux.memoryPolicy": { mode: "MPOL_INTERLEAVE", nodes: "2-3", flags: ["MPOL_F_STATIC_NODES"] } },
  ],
  ["the local memory policy", { "linux.memoryPolicy": { mode: "MPOL_LOCAL", nodes: "" } }],
  ["the preferred memory policy without nodes", { "linux.memoryPolicy": { mode: "MPOL_PREFERRED" } }],
  [
    "memory balancing",
    { "linux.memoryPolicy": { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING"] } },
  ],
];
for (const [name, changes] of good) {
  test(`takes ${name}`, () => expect(judgeWith(changes)).toMatchObject({ faults: [], warnings: [] }));
}

const bad: [Record<string, unknown>, string][] = [
  [{ "linux.namespaces": namespaces("pid") }, "linux.namespaces[6].type: the namespace pid is given twice"],
  [
    { "linux.namespaces": [{ type: "uts" }, { type: "network", path: "netns" }] },
    'linux.namespaces[1].path: must be an absolute path, not "netns"',
  ],
  [
    { "linux.namespaces": [{ type: "net" }] },
    'linux.namespaces[0].type: "net" is not one of pid, network, mount, ipc, uts, user, cgroup, time',
  ],
  [{ "linux.namespaces": [{}] }, "linux.namespaces[0].type: is required"],
  [
    { "linux.namespaces": [] },
    "hostname: needs a uts namespace of the container's own, else it would rename the host",
  ],
  [
    { "linux.namespaces": [], hostname: undefined, domainname: "d" },
    "domainname: needs a uts namespace of the container's own, else it would rename the host",
  ],
  [{ "linux.uidMappings": mapping }, "linux.uidMappings: needs a user namespace"],
  [{ "linux.gidMappings": mapping }, "linux.gidMappings: needs a user namespace"],
  [
    { "linux.namespaces": namespaces("user"), "linux.uidMappings": mapping },
    "linux.gidMappings: is required for a new user namespace",
  ],
  [
    {
      "linux.namespaces": namespaces("user"),
      "linux.gidMappings": mapping,
      "linux.uidMappings": [{ containerID: 0, hostID: 1, size: 0 }],
    },
    "linux.uidMappings[0].size: 0 is out of range: 1 to 4294967295",
  ],
  [{ "linux.timeOffsets": { boottime: { secs: 1 } } }, "linux.timeOffsets: needs a time namespace"],
  [
    {
      "linux.namespaces": [{ type: "uts" }, { type: "time", path: "/x" }],
      "linux.timeOffsets": { boottime: {} },
    },
    "linux.timeOffsets: cannot be set in a time namespace that is joined by path",
  ],
  [
    { "linux.namespaces": namespaces("time"), "linux.timeOffsets": { realtime: {} } },
    "linux.timeOffsets.realtime: unknown property",
  ],
  [
    { "linux.namespaces": namespaces("time"), "linux.timeOffsets": { boottime: { nanosecs: 1e9 } } },
    "linux.timeOffsets.boottime.nanosecs: 1000000000 is out of range: 0 to 999999999",
  ],
  [{ "linux.cgroupsPath": "/a/../b" }, 'linux.cgroupsPath: "/a/../b" has a ".." segment'],
  [{ "linux.cgroupsPath": "..:a:b" }, 'linux.cgroupsPath: "..:a:b" has a ".." segment'],
  [{ "linux.cgroupsPath": "/a\nb" }, "linux.cgroupsPath: must not hold a line break"],
  [
    { "linux.rootfsPropagation": "public" },
    'linux.rootfsPropagation: "public" is not one of shared, slave, private, unbindable, rshared, rslave, rprivate, runbindable',
  ],
  [
    { "linux.maskedPaths": ["proc/kcore"] },
    'linux.maskedPaths[0]: must be an absolute path, not "proc/kcore"',
  ],
  [{ "linux.readonlyPaths": ["/ok", "x"] }, 'linux.readonlyPaths[1]: must be an absolute path, not "x"'],
  [
    { "linux.personality": { domain: "LINUX64" } },
    'linux.personality.domain: "LINUX64" is not one of LINUX, LINUX32 (did you mean "LINUX32"?)',
  ],
  [
    { "linux.personality": { domain: "LINUX", flags: ["X"] } },
    "linux.personality.flags: must be empty: the spec knows no personality flags yet",
  ],
  [{ "linux.personality": {} }, "linux.personality.domain: is required"],
  [
    { "linux.netDevices": { eth0: {} }, "linux.namespaces": [{ type: "uts" }] },
    "linux.netDevices: needs a network namespace of the container's own",
  ],
  [{ "linux.netDevices": { "eth/0": {} } }, 'linux.netDevices["eth/0"]: is no network device name'],
  [
    { "linux.netDevices": { eth0: { name: "0123456789abcdef" } } },
    'linux.netDevices.eth0.name: "0123456789abcdef" is no network device name',
  ],
  [
    { "linux.netDevices": { eth0: { name: "a%s" } } },
    'linux.netDevices.eth0.name: "a%s" is no network device name',
  ],
  [
    { "linux.netDevices": { eth0: { name: "x" }, eth1: { name: "x" } } },
    "linux.netDevices.eth1: takes the name x, as eth0 does",
  ],
  [{ "linux.netDevices": [] }, "linux.netDevices: must be an object, not an array"],
  [
    { "linux.intelRdt": { closID: "a/b" } },
    'linux.intelRdt.closID: "a/b" is neither a directory name nor "/"',
  ],
  [{ "linux.intelRdt": { closID: ".." } }, 'linux.intelRdt.closID: ".." is neither a directory name nor "/"'],
  [
    { "linux.intelRdt": { memBwSchema: "L3:0=1" } },
    'linux.intelRdt.memBwSchema: "L3:0=1" does not begin with MB:',
  ],
  [
    { "linux.intelRdt": { schemata: ["L3:0=1\nMB:0=1"] } },
    "linux.intelRdt.schemata[0]: must not hold a line break",
  ],
  [{ "linux.memoryPolicy": { nodes: "0" } }, "linux.memoryPolicy.mode: is required"],
  [
    { "linux.memoryPolicy": { mode: "MPOL_BIN", nodes: "0" } },
    'linux.memoryPolicy.mode: "MPOL_BIN" is not one of MPOL_DEFAULT, MPOL_BIND, MPOL_INTERLEAVE, MPOL_WEIGHTED_INTERLEAVE, MPOL_PREFERRED, MPOL_PREFERRED_MANY, MPOL_LOCAL (did you mean "MPOL_BIND"?)',
  ],
  [
    { "linux.memoryPolicy": { mode: "MPOL_BIND" } },
    "linux.memoryPolicy.nodes: MPOL_BIND needs at least one node",
  ],
  [
    { "linux.memoryPolicy": { mode: "MPOL_DEFAULT", nodes: "0" } },
    "linux.memoryPolicy.nodes: must be empty for MPOL_DEFAULT",
  ],
  [
    {
      "linux.memoryPolicy": {
        mode: "MPOL_BIND",
        nodes: "0",
        flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"],
      },
    },
    "linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other",
  ],
  [
    { "linux.memoryPolicy": { mode: "MPOL_LOCAL", flags: ["MPOL_F_STATIC_NODES"] } },
    "linux.memoryPolicy.flags: say how to read the nodes, but there are no nodes",
  ],
  [
    { "linux.memoryPolicy": { mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING"] } },
    "linux.memoryPolicy.flags: MPOL_F_NUMA_BALANCING does not go with MPOL_INTERLEAVE",
  ],
];
for (const [changes, fault] of bad) {
  test(`refuses: ${fault}`, () => expect(faultsWith(changes)).toEqual([fault]));
}

describe("id mappings", () => {
  const withMappings = (uidMappings: unknown) =>
    faultsWith({
      "linux.namespaces": namespaces("user"),
      "linux.uidMappings": uidMappings,
      "linux.gidMappings": mapping,
    });

  test("may lie side by side, in any order", () => {
    expect(
      withMappings([
        { containerID: 10, hostID: 0, size: 5 },
        { containerID: 0, hostID: 5, size: 10 },
      ]),
    ).toEqual([]);
  });

  test("must not overlap inside", () => {
    expect(
      withMappings([
        { containerID: 0, hostID: 0, size: 100 },
        { containerID: 200, hostID: 500, size: 1 },
        { containerID: 99, hostID: 1000, size: 1 },
      ]),
    ).toEqual(["linux.uidMappings[2].containerID: overlaps linux.uidMappings[0]"]);
  });

  test("must not overlap outside", () => {
    expect(
      withMappings([
        { containerID: 0, hostID: 5, size: 10 },
        { containerID: 100, hostID: 0, size: 6 },
      ]),
    ).toEqual(["linux.uidMappings[0].hostID: overlaps linux.uidMappings[1]"]);
  });

  test("end before the id that means none", () => {
    expect(withMappings([{ containerID: 0, hostID: 4294967290, size: 5 }])).toEqual([]);
    expect(withMappings([{ containerID: 0, hostID: 4294967290, size: 6 }])).toEqual([
      "linux.uidMappings[0].size: reaches beyond the last id from hostID",
    ]);
  });
});

describe("warnings", () => {
  test("old RDT properties and a strange L3 schema", () => {
    const { faults, warnings } = judgeWith({
      "linux.intelRdt": { enableCMT: true, enableMBM: false, l3CacheSchema: "x" },
    });
    expect(faults).toEqual([]);
    expect(warnings).toEqual([
      "linux.intelRdt.enableCMT: ignored: enableMonitoring took its place in version 1.3.0",
      "linux.intelRdt.enableMBM: ignored: enableMonitoring took its place in version 1.3.0",
      'linux.intelRdt.l3CacheSchema: "x" should begin with L3:',
    ]);
  });
});

describe("devices", () => {
  const fuse = { path: "/dev/fuse", type: "c", major: 10, minor: 229 };

  test("of all four types", () => {
    const { config } = judgeWith({
      "linux.devices": [
        { ...fuse, fileMode: 0o20666, uid: 0, gid: 5 },
        { path: "/dev/sda", type: "b", major: 8, minor: 0 },
        { path: "/x/u", type: "u", major: 1, minor: 9 },
        { path: "/x/fifo", type: "p", major: 0, minor: 0 },
      ],
    });
    expect(config?.linux?.devices).toEqual([
      { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 5 },
      { path: "/dev/sda", type: "b", major: 8, minor: 0 },
      { path: "/x/u", type: "u", major: 1, minor: 9 },
      { path: "/x/fifo", type: "p" },
    ]);
  });

  const wrong: [unknown[], string][] = [
    [[{ ...fuse, type: "d" }], 'linux.devices[0].type: "d" is not one of c, b, u, p'],
    [[{ ...fuse, path: "dev/fuse" }], 'linux.devices[0].path: must be an absolute path, not "dev/fuse"'],
    [[{ path: "/dev/fuse", type: "c" }], "linux.devices[0]: major and minor are required for the type c"],
    [[{ ...fuse, minor: -1 }], "linux.devices[0].minor: -1 is out of range: 0 to 4294967295"],
    [[fuse, { ...fuse, minor: 1 }], "linux.devices[1].path: /dev/fuse is already the device c 10:229"],
    [[{ path: "/dev/fuse" }], "linux.devices[0].type: is required"],
  ];
  for (const [devices, fault] of wrong) {
    test(`refuses: ${fault}`, () => expect(faultsWith({ "linux.devices": devices })).toEqual([fault]));
  }

  test("the same device twice is odd, but works", () => {
    expect(judgeWith({ "linux.devices": [fuse, fuse] }).warnings).toHaveLength(1);
    expect(judgeWith({ "linux.devices": [fuse, { ...fuse, path: "/x" }] }).warnings).toEqual([
      "linux.devices[1]: the device c 10:229 is given more than once",
    ]);
  });
});
