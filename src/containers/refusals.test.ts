import { describe, expect, test } from "bun:test";
import { detectLayout } from "../cgroups/hierarchy.ts";
import type { Config, Linux } from "../spec/config.ts";
import { defaultConfig } from "../spec/default-config.ts";
import { type Fault, SpecError } from "../spec/parse.ts";
import { refuseUnsupported } from "./refusals.ts";

async function faults(change: Partial<Config>, rootfs = "/tmp"): Promise<readonly Fault[]> {
  try {
    await refuseUnsupported({ ...defaultConfig(), ...change }, rootfs, detectLayout());
    return [];
  } catch (error) {
    if (error instanceof SpecError) return error.faults;
    throw error;
  }
}

const linuxFaults = (linux: Linux) => faults({ linux: { ...defaultConfig().linux, ...linux } });
const namespaceFaults = (...namespaces: NonNullable<Linux["namespaces"]>) => linuxFaults({ namespaces });

test("the default config is fine", async () => {
  expect(await faults({})).toEqual([]);
});

describe("the root file system", () => {
  test("has to be there", async () => {
    expect(await faults({}, "/no/such")).toEqual([
      { path: "root.path", message: 'rootfs "rootfs" (/no/such): no such file or directory' },
    ]);
  });

  test("has to be a folder", async () => {
    expect(await faults({}, "/etc/passwd")).toEqual([
      { path: "root.path", message: 'rootfs "rootfs" (/etc/passwd): not a directory' },
    ]);
  });
});

describe("namespaces by path", () => {
  test("one of the type is fine, for every type", async () => {
    for (const [type, file] of [
      ["pid", "pid"],
      ["network", "net"],
      ["ipc", "ipc"],
      ["uts", "uts"],
      ["mount", "mnt"],
      ["cgroup", "cgroup"],
      ["time", "time"],
    ] as const) {
      expect([type, await namespaceFaults({ type, path: `/proc/self/ns/${file}` })]).toEqual([type, []]);
    }
  });

  test("another type, no namespace, nothing at all: named with their place in the list", async () => {
    expect(
      await namespaceFaults(
        { type: "mount" },
        { type: "network", path: "/proc/self/ns/pid" },
        { type: "ipc", path: "/etc/passwd" },
        { type: "uts", path: "/no/such" },
        { type: "cgroup", path: "" },
      ),
    ).toEqual([
      { path: "linux.namespaces[1].path", message: "/proc/self/ns/pid: is no network namespace" },
      { path: "linux.namespaces[2].path", message: "/etc/passwd: is no namespace" },
      { path: "linux.namespaces[3].path", message: "/no/such: no such file or directory" },
    ]);
  });

  test("a new user namespace needs a new mount namespace", async () => {
    expect(await namespaceFaults({ type: "user" }, { type: "mount" })).toEqual([]);
    for (const mount of [[], [{ type: "mount", path: "/proc/self/ns/mnt" }]] as const) {
      expect(await namespaceFaults({ type: "user" }, ...mount)).toEqual([
        {
          path: "linux.namespaces",
          message: expect.stringContaining("a new user namespace needs a new mount namespace"),
        },
      ]);
    }
  });
});

test("all faults are reported at once", async () => {
  const found = await faults(
    {
      linux: {
        namespaces: [
          { type: "ipc", path: "/a" },
          { type: "uts", path: "/b" },
        ],
      },
    },
    "/c",
  );
  expect(found.map(({ path }) => path)).toEqual([
    "root.path",
    "linux.namespaces[0].path",
    "linux.namespaces[1].path",
  ]);
});

test("network devices need a network of the container's own", async () => {
  const netDevices = { "no-such-device": {} };
  const [fault] = await linuxFaults({ namespaces: [{ type: "mount" }], netDevices });
  expect(fault?.path).toStartWith("linux.netDevices");
});

test("an AppArmor profile that is not loaded is refused by its name", async () => {
  const process = { ...defaultConfig().process, apparmorProfile: "no-such-profile-of-this-test" };
  const [fault] = await faults({ process });
  expect(fault?.path).toBe("process.apparmorProfile");
  expect(fault?.message).toContain("no-such-profile-of-this-test");
});
