import { describe, expect, test } from "bun:test";
import { sysctlNamespace, sysctlPath } from "./sysctl.ts";
import { faultsWith, judgeWith, namespaces } from "./testing.ts";

describe("names", () => {
  const good: [string, string][] = [
    ["net.ipv4.ip_forward", "net/ipv4/ip_forward"],
    ["net/ipv4/ip_forward", "net/ipv4/ip_forward"],
    ["net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"],
    ["net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"],
    ["kernel.shm_rmid_forced", "kernel/shm_rmid_forced"],
  ];
  for (const [name, path] of good) test(name, () => expect(sysctlPath(name)).toBe(path));

  const bad = [
    "",
    "net",
    ".net",
    "net.",
    "net..ipv4",
    "/net/a",
    "net/../../kernel/core_pattern",
    "net.//.x",
    "a b.c",
    "net.a\n",
  ];
  for (const name of bad)
    test(`${JSON.stringify(name)} is none`, () => expect(sysctlPath(name)).toBeUndefined());
});

test("no path leads out of /proc/sys", () => {
  const parts = ["net", ".", "..", "/", "//", "a.b", ""];
  for (const a of parts) {
    for (const b of parts) {
      for (const separator of [".", "/"]) {
        const path = sysctlPath(["net", a, b].join(separator));
        expect(
          path?.split("/").some((segment) => segment === "" || segment === "." || segment === ".."),
        ).not.toBe(true);
      }
    }
  }
});

test("each parameter belongs to a namespace or to the host", () => {
  expect(sysctlNamespace("net/core/somaxconn")).toBe("network");
  expect(sysctlNamespace("kernel/msgmax")).toBe("ipc");
  expect(sysctlNamespace("fs/mqueue/msg_max")).toBe("ipc");
  expect(sysctlNamespace("kernel/domainname")).toBe("uts");
  expect(sysctlNamespace("kernel/core_pattern")).toBeUndefined();
  expect(sysctlNamespace("vm/swappiness")).toBeUndefined();
});

describe("linux.sysctl", () => {
  test("takes what the container's namespaces own, new or joined", () => {
    const sysctl = {
      "net.ipv4.ip_forward": "1",
      "kernel.shmmax": "1",
      "fs/mqueue/msg_max": "1",
      "kernel.domainname": "x",
    };
    expect(judgeWith({ "linux.sysctl": sysctl }).config?.linux?.sysctl).toEqual(sysctl);
    const joined = [{ type: "network", path: "/run/netns/pod" }, { type: "uts" }];
    expect(faultsWith({ "linux.sysctl": { "net.core.somaxconn": "9" }, "linux.namespaces": joined })).toEqual(
      [],
    );
  });

  const bad: [Record<string, unknown>, string][] = [
    [{ "linux.sysctl": { "vm.swappiness": "1" } }, "belongs to the host"],
    [{ "linux.sysctl": { "kernel.core_pattern": "|/x" } }, "belongs to the host"],
    [{ "linux.sysctl": { "kernel.hostname": "x" } }, 'conflicts with the property "hostname"'],
    [
      { "linux.sysctl": { "kernel.domainname": "x" }, domainname: "y" },
      'conflicts with the property "domainname"',
    ],
    [{ "linux.sysctl": { "net..x": "1" } }, "is no name of a kernel parameter"],
    [{ "linux.sysctl": { "net.ipv4.ip_forward": 1 } }, "must be a string, not a number"],
    [{ "linux.sysctl": { "net.ipv4.ip_forward": "1\n2" } }, "must not hold a line break"],
    [
      { "linux.sysctl": { "net.ipv4.ip_forward": "1" }, "linux.namespaces": [{ type: "uts" }] },
      "needs a namespace of the type network",
    ],
    [
      { "linux.sysctl": { "kernel.sem": "1" }, "linux.namespaces": [{ type: "uts" }] },
      "needs a namespace of the type ipc",
    ],
  ];
  for (const [changes, message] of bad) {
    test(`${JSON.stringify(changes)}`, () => {
      const faults = faultsWith(changes);
      expect(faults).toHaveLength(1);
      expect(faults[0]).toStartWith('linux.sysctl["');
      expect(faults[0]).toContain(message);
    });
  }

  test("says nothing more where the namespaces are wrong", () => {
    const faults = faultsWith({
      "linux.sysctl": { "vm.swappiness": "1" },
      "linux.namespaces": namespaces("usr"),
    });
    expect(faults).toEqual([
      'linux.namespaces[6].type: "usr" is not one of pid, network, mount, ipc, uts, user, cgroup, time (did you mean "user"?)',
    ]);
  });
});
