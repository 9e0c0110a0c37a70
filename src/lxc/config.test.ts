import { describe, expect, test } from "bun:test";
import type { Config, Linux } from "../spec/config.ts";
import { defaultConfig } from "../spec/default-config.ts";
import { type LxcConfigInput, lxcConfig, makesNamespace, namespaceOf } from "./config.ts";

const withLinux = (linux: Linux): Config => ({ ...defaultConfig(), linux });

const text = (config: Config, more: Partial<LxcConfigInput> = {}): string[] =>
  lxcConfig({
    config,
    rootfs: "/bundle/my rootfs",
    groups: { path: "lxcri/one", monitor: "lxcri-monitor/one" },
    logFile: "/state/lxc.log",
    noNewKeyring: false,
    ...more,
  })
    .split("\n")
    .filter(Boolean);

const value = (lines: readonly string[], key: string): string[] =>
  lines.flatMap((line) => (line.startsWith(`${key} = `) ? [line.slice(key.length + 3)] : []));

test("every line is one that LXC knows, and what it would do by itself is switched off", () => {
  const lines = text(defaultConfig());
  for (const line of lines) expect(line).toMatch(/^lxc\.[a-z.]+ = \S/);
  expect(lines).toContain("lxc.rootfs.path = dir:/bundle/my rootfs");
  expect(lines).toContain("lxc.rootfs.managed = 0");
  expect(lines).toContain("lxc.autodev = 0");
  expect(lines).toContain("lxc.tty.max = 0");
  expect(lines).toContain("lxc.pty.max = 0");
  expect(lines).toContain("lxc.console.path = none");
  expect(lines).toContain("lxc.apparmor.profile = unconfined");
  expect(lines).toContain("lxc.cgroup.dir.container = lxcri/one");
  expect(lines).toContain("lxc.cgroup.dir.monitor = lxcri-monitor/one");
  expect(lines).toContain("lxc.log.file = /state/lxc.log");
  expect(value(lines, "lxc.uts.name")).toEqual([]);
});

describe("namespaces", () => {
  const namespaces = (list: NonNullable<Linux["namespaces"]>) => {
    const lines = text(withLinux({ namespaces: list }));
    return {
      clone: value(lines, "lxc.namespace.clone"),
      share: lines.filter((line) => line.startsWith("lxc.namespace.share")),
    };
  };

  test("none: LXC still makes a mount namespace", () => {
    expect(namespaces([])).toEqual({ clone: ["mnt"], share: [] });
    expect(value(text(withLinux({})), "lxc.namespace.clone")).toEqual(["mnt"]);
  });

  test("all new ones by LXC's names; time is not LXC's", () => {
    const types = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup", "time"] as const;
    expect(namespaces(types.map((type) => ({ type })))).toEqual({
      clone: ["mnt pid net ipc uts user cgroup"],
      share: [],
    });
  });

  test("those given by path are shared; mount, time and cgroup we join ourselves", () => {
    const types = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup", "time"] as const;
    expect(namespaces(types.map((type) => ({ type, path: `/ns/${type}` })))).toEqual({
      clone: ["mnt"],
      share: [
        "lxc.namespace.share.pid = /ns/pid",
        "lxc.namespace.share.net = /ns/network",
        "lxc.namespace.share.ipc = /ns/ipc",
        "lxc.namespace.share.uts = /ns/uts",
        "lxc.namespace.share.user = /ns/user",
      ],
    });
  });

  test("an empty path makes a new one", () => {
    expect(
      namespaces([
        { type: "cgroup", path: "" },
        { type: "pid", path: "" },
      ]),
    ).toEqual({
      clone: ["mnt cgroup pid"],
      share: [],
    });
    const config = withLinux({
      namespaces: [
        { type: "user", path: "" },
        { type: "ipc", path: "/x" },
      ],
    });
    expect(makesNamespace(config, "user")).toBe(true);
    expect(makesNamespace(config, "ipc")).toBe(false);
    expect(makesNamespace(config, "uts")).toBe(false);
    expect(namespaceOf(config, "ipc")?.path).toBe("/x");
    expect(namespaceOf(config, "uts")).toBeUndefined();
  });
});

test("id mappings: users, then groups, in order", () => {
  const lines = text(
    withLinux({
      uidMappings: [
        { containerID: 0, hostID: 100000, size: 1000 },
        { containerID: 1000, hostID: 5000, size: 1 },
      ],
      gidMappings: [{ containerID: 0, hostID: 200000, size: 65536 }],
    }),
  );
  expect(value(lines, "lxc.idmap")).toEqual(["u 0 100000 1000", "u 1000 5000 1", "g 0 200000 65536"]);
});

test("the session keyring is new unless that is not wanted", () => {
  expect(value(text(defaultConfig()), "lxc.keyring.session")).toEqual(["1"]);
  expect(value(text(defaultConfig(), { noNewKeyring: true }), "lxc.keyring.session")).toEqual(["0"]);
});

test.each([["\n"], ["\r"], ["\0"], ["\x7f"]])("a value that holds %j would be more than one line", (evil) => {
  const fault = expect.objectContaining({ code: "lxc-config-value" });
  const inject = `${evil}lxc.hook.pre-start = /bin/evil`;
  expect(() => text(defaultConfig(), { rootfs: `/a${inject}` })).toThrow(fault);
  expect(() => text(defaultConfig(), { logFile: `/a${inject}` })).toThrow(fault);
  expect(() => text(defaultConfig(), { groups: { path: `a${inject}`, monitor: "m" } })).toThrow(fault);
  expect(() => text(withLinux({ namespaces: [{ type: "network", path: `/a${inject}` }] }))).toThrow(
    /lxc\.namespace\.share\.net: .* contains a control character/,
  );
});
