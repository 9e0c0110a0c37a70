import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mount } from "../spec/config.ts";
import { parseConfig } from "../spec/parse.ts";
import {
  DEFAULT_DEVICE_RULES,
  DEFAULT_DEVICES,
  DEFAULT_MASKED_PATHS,
  DEFAULT_NAMESPACES,
  DEFAULT_READONLY_PATHS,
  defaultMounts,
} from "./defaults.ts";
import { defaultSeccomp } from "./seccomp/default-profile.ts";
import { defaultIdMap } from "./userns.ts";

/** Mounts, as mount(8) does it, in namespaces of their own; the results as `destination exit-code` lines. */
async function mountInUserNamespace(
  mounts: readonly Mount[],
  namespaces: readonly string[],
): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "lxcri-mounts-"));
  chmodSync(root, 0o755);
  const lines = mounts.map(({ destination, type, source, options }) => {
    const target = join(root, destination);
    const how = type === "bind" ? ["--rbind"] : ["-t", type, "-o", options?.join(",")];
    return `mkdir -p ${target}; mount ${how.join(" ")} ${source} ${target} 2>/dev/null; echo ${destination} $?`;
  });
  const script = ["echo ready", "read go", `mount -t tmpfs tmpfs ${root}`, ...lines].join("\n");
  const argv = ["unshare", "--user", "--keep-caps", "--mount", ...namespaces, "sh", "-c", script];
  const child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", timeout: 10_000, killSignal: "SIGKILL" });
  try {
    const reader = child.stdout.getReader();
    const decoder = new TextDecoder();
    let output = decoder.decode((await reader.read()).value);
    for (const kind of ["uid", "gid"]) writeFileSync(`/proc/${child.pid}/${kind}_map`, "0 0 65536");
    child.stdin.write("go\n");
    child.stdin.end();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      output += decoder.decode(part.value);
    await child.exited;
    return output.trim().split("\n").slice(1);
  } finally {
    child.kill("SIGKILL");
    rmSync(root, { recursive: true });
  }
}

describe("the defaults of a container", () => {
  const mounts = defaultMounts({ newUser: true, ownNetwork: true });

  test("make a configuration without fault or warning", () => {
    const document = {
      ociVersion: "1.3.0",
      root: { path: "rootfs" },
      process: { user: { uid: 0, gid: 0 }, args: ["sh"], cwd: "/" },
      mounts,
      linux: {
        namespaces: DEFAULT_NAMESPACES,
        ...defaultIdMap(),
        devices: DEFAULT_DEVICES,
        resources: { devices: DEFAULT_DEVICE_RULES },
        maskedPaths: DEFAULT_MASKED_PATHS,
        readonlyPaths: DEFAULT_READONLY_PATHS,
        seccomp: defaultSeccomp(new Set(), "x64"),
      },
    };
    const text = JSON.stringify(document, (_key, v: unknown) => (typeof v === "bigint" ? Number(v) : v));
    expect(parseConfig(text).warnings).toEqual([]);
  });

  test("name devices with the numbers of this kernel's own", () => {
    for (const { path, major, minor } of DEFAULT_DEVICES)
      expect([path, statSync(path).rdev]).toEqual([path, (major << 8) | minor]);
  });

  // The runtime makes the cgroup mount itself, a different one on cgroup v1 and v2.
  const plain = (list: readonly Mount[]): Mount[] => list.filter((mount) => mount.type !== "cgroup");

  test("mount in a user namespace with its own network", async () => {
    const own = plain(mounts).filter((mount) => mount.type !== "proc");
    const results = await mountInUserNamespace(own, ["--net", "--ipc"]);
    expect(results).toEqual(own.map(({ destination }) => `${destination} 0`));
  });

  test("mount in a user namespace with the host's network, where sysfs itself is refused", async () => {
    const sys = (list: readonly Mount[]): Mount[] => list.filter((mount) => mount.destination === "/sys");
    const shared = sys(defaultMounts({ newUser: true, ownNetwork: false }));
    expect(await mountInUserNamespace(shared, [])).toEqual(["/sys 0"]);
    expect(await mountInUserNamespace(sys(mounts), [])).toEqual(["/sys 32"]);
    expect(defaultMounts({ newUser: false, ownNetwork: false })).toEqual([...mounts]);
  });
});
