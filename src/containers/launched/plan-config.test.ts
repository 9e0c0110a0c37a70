import { describe, expect, test } from "bun:test";
import type { Config, Mount } from "../../spec/config.ts";
import { parseConfig } from "../../spec/parse.ts";
import { factsWith, imageWith, requestWith } from "./launch.fixture.ts";
import { type LaunchFacts, planConfig } from "./plan-config.ts";
import { nameMounts, unnamedVolumes } from "./plan-mounts.ts";
import type { LaunchRequest } from "./request.ts";

const plan = (
  request: Partial<LaunchRequest> = {},
  facts: Partial<LaunchFacts> = {},
  image = imageWith(),
): Config => planConfig(image, requestWith(request), factsWith(facts));

const mountAt = (config: Config, destination: string): Mount | undefined =>
  config.mounts?.findLast((mount) => mount.destination === destination);

const argsOf = (
  config: Parameters<typeof imageWith>[0],
  request: Partial<LaunchRequest> = {},
): readonly string[] => plan(request, {}, imageWith(config)).process.args;

describe("the command line, as Docker merges it", () => {
  const both = { Entrypoint: ["entry", "-e"], Cmd: ["cmd", "-c"] };
  test("entrypoint and command", () => {
    expect(argsOf({ Cmd: ["cmd"] })).toEqual(["cmd"]);
    expect(argsOf(both)).toEqual(["entry", "-e", "cmd", "-c"]);
    expect(argsOf(both, { command: ["x", "y"] })).toEqual(["entry", "-e", "x", "y"]);
    expect(argsOf(both, { entrypoint: ["mine"] })).toEqual(["mine"]);
    expect(argsOf(both, { entrypoint: ["mine"], command: ["x"] })).toEqual(["mine", "x"]);
    expect(argsOf(both, { entrypoint: [], command: ["x"] })).toEqual(["x"]);
  });

  test("nothing to run is refused", () => {
    expect(() => argsOf({ Cmd: [] })).toThrow("names no command");
    expect(() => argsOf(both, { entrypoint: [] })).toThrow("names no command");
    expect(() => argsOf({ Cmd: [""] })).toThrow("names no command");
  });
});

describe("the process", () => {
  test("environment: ours, the image's, the person's, later ones winning", () => {
    const { process } = plan(
      { env: ["B=mine", "C=new", "HOME=/elsewhere"], tty: true },
      {},
      imageWith({ Env: ["PATH=/opt/bin", "A=1", "B=image", "=broken"] }),
    );
    expect(process.env).toEqual([
      ...["PATH=/opt/bin", "HOSTNAME=web", "HOME=/elsewhere", "TERM=xterm", "A=1", "B=mine", "C=new"],
    ]);
    expect(process.terminal).toBe(true);
  });

  test("working directory is absolute, and stays below the root", () => {
    const cwd = (WorkingDir: string, workdir?: string): string =>
      plan(workdir === undefined ? {} : { workdir }, {}, imageWith({ WorkingDir })).process.cwd;
    expect([cwd(""), cwd("srv"), cwd("/a/../../b"), cwd("/a", "/c")]).toEqual(["/", "/srv", "/b", "/c"]);
  });

  test("root holds Docker's capabilities, another user none until a setuid program gives them", () => {
    const root = plan().process.capabilities;
    expect(root?.effective).toHaveLength(14);
    expect(root?.bounding).toEqual(root?.effective as string[]);
    const user = { uid: 33, gid: 33, additionalGids: [4], home: "/" };
    const { process } = plan({ capAdd: ["net_admin"], capDrop: ["MKNOD"] }, { user });
    expect(process.capabilities).toMatchObject({
      effective: [],
      permitted: [],
      ambient: [],
      inheritable: [],
    });
    expect(process.capabilities?.bounding).toContain("CAP_NET_ADMIN");
    expect(process.capabilities?.bounding).not.toContain("CAP_MKNOD");
    expect(process.user).toMatchObject({ uid: 33, gid: 33, additionalGids: [4] });
  });

  test("an AppArmor profile only where it is loaded", () => {
    const loaded = {
      appArmorProfiles: new Set(["lxc-container-default-cgns", "lxc-container-default-with-nesting"]),
    };
    expect(plan().process.apparmorProfile).toBeUndefined();
    expect(plan({}, loaded).process.apparmorProfile).toBe("lxc-container-default-cgns");
    expect(plan({ nesting: true }, loaded).process.apparmorProfile).toBe(
      "lxc-container-default-with-nesting",
    );
    expect(plan({ privileged: true }, loaded).process.apparmorProfile).toBeUndefined();
  });
});

describe("confinement", () => {
  test("by default: user namespace, own network, seccomp, hidden paths", () => {
    const { linux } = plan();
    expect(linux?.namespaces?.map(({ type }) => type).sort()).toEqual([
      "cgroup",
      "ipc",
      "mount",
      "network",
      "pid",
      "user",
      "uts",
    ]);
    expect(linux?.uidMappings).toEqual([{ containerID: 0, hostID: 100_000, size: 65_536 }]);
    expect(linux?.seccomp?.defaultAction).toBe("SCMP_ACT_ERRNO");
    expect(linux?.maskedPaths).toContain("/proc/kcore");
    expect(linux?.readonlyPaths).toContain("/proc/sys");
    expect(linux?.resources?.devices?.[0]).toEqual({ allow: false });
  });

  test("privileged: none of it", () => {
    const { idMaps: _, ...facts } = factsWith();
    const { linux, process, mounts } = planConfig(imageWith(), requestWith({ privileged: true }), facts);
    expect(linux?.namespaces?.map(({ type }) => type)).not.toContain("user");
    expect(linux).not.toHaveProperty("seccomp");
    expect(linux).not.toHaveProperty("maskedPaths");
    expect(linux?.resources?.devices).toEqual([{ allow: true }]);
    expect(process.capabilities?.effective).toContain("CAP_SYS_ADMIN");
    expect(mounts?.find(({ destination }) => destination === "/sys")?.options).not.toContain("ro");
  });

  test("nesting hides nothing of /proc, but keeps the filter", () => {
    const { linux } = plan({ nesting: true });
    expect(linux).not.toHaveProperty("maskedPaths");
    expect(linux?.seccomp).toBeDefined();
  });

  test("networks", () => {
    const network = (config: Config) => config.linux?.namespaces?.find(({ type }) => type === "network");
    expect(network(plan())).toEqual({ type: "network" });
    const host = plan({ network: { kind: "host" } });
    expect(network(host)).toBeUndefined();
    // A user namespace that does not own the network may not mount sysfs.
    expect(mountAt(host, "/sys")?.type).toBe("bind");
    const joined = plan({ network: { kind: "path", path: "/run/netns/x" } });
    expect(network(joined)).toEqual({ type: "network", path: "/run/netns/x" });
  });

  test("limits", () => {
    expect(plan({ memory: 64 << 20, cpus: 1.5, pids: 100 }).linux?.resources).toMatchObject({
      memory: { limit: 64 << 20 },
      cpu: { quota: 150_000, period: 100_000 },
      pids: { limit: 100 },
    });
    expect(plan({ cpus: 0.001 }).linux?.resources?.cpu?.quota).toBe(1000);
    expect(plan().linux?.resources).not.toHaveProperty("memory");
  });

  test("a device may be used; in a user namespace the host's is bound", () => {
    const device = {
      source: "/dev/fuse",
      destination: "/dev/f",
      type: "c",
      major: 10,
      minor: 229,
      access: "rw",
    } as const;
    const config = plan({}, { devices: [device] });
    expect(config.linux?.resources?.devices).toContainEqual({
      allow: true,
      type: "c",
      major: 10,
      minor: 229,
      access: "rw",
    });
    expect(mountAt(config, "/dev/f")).toMatchObject({ source: "/dev/fuse", type: "bind" });
    const { idMaps: _, ...facts } = factsWith({ devices: [device] });
    const privileged = planConfig(imageWith(), requestWith({ privileged: true }), facts);
    expect(privileged.linux?.devices).toMatchObject([{ path: "/dev/f", type: "c", major: 10, minor: 229 }]);
    expect(mountAt(privileged, "/dev/f")).toBeUndefined();
  });
});

describe("mounts", () => {
  test("the person's come last, nearer to the root first, in place of ours", () => {
    const mounts = [
      { kind: "bind", source: "/host/deep", destination: "/data/deep", options: ["ro"] },
      { kind: "tmpfs", destination: "/data", options: ["size=1m"] },
      { kind: "bind", source: "/host/hosts", destination: "/etc/hosts", options: ["bind"] },
      { kind: "volume", name: "v", destination: "/v", options: [] },
    ] as const;
    const config = plan({}, { mounts, volumes: new Map([["v", "/data-root/volumes/v"]]) });
    expect(config.mounts?.slice(-4)).toEqual([
      { destination: "/data", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "size=1m"] },
      { destination: "/v", type: "bind", source: "/data-root/volumes/v", options: ["rbind"] },
      { destination: "/data/deep", type: "bind", source: "/host/deep", options: ["rbind", "ro"] },
      { destination: "/etc/hosts", type: "bind", source: "/host/hosts", options: ["bind"] },
    ]);
    expect(config.mounts?.filter(({ destination }) => destination === "/etc/hosts")).toHaveLength(1);
    expect(mountAt(config, "/etc/hostname")?.source).toBe("../etc/hostname");
    expect(() => plan({}, { mounts })).toThrow("volume at /v");
  });

  test("the image's volumes, unless the person mounts something there", () => {
    const image = imageWith({ Volumes: ["/var/lib/db", "relative", "/taken/", "/"] });
    const request = requestWith({
      mounts: [
        { kind: "tmpfs", destination: "/taken", options: [] },
        { kind: "volume", destination: "/own", options: [] },
        { kind: "volume", name: "kept", destination: "/kept", options: [] },
      ],
    });
    const named = nameMounts("web", image, request);
    expect(named.map(({ destination }) => destination)).toEqual([
      "/taken",
      "/own",
      "/kept",
      "/var/lib/db",
      "/relative",
    ]);
    expect(unnamedVolumes(named)).toEqual([
      "web_own.unnamed",
      "web_var_lib_db.unnamed",
      "web_relative.unnamed",
    ]);
  });

  test("files of lxcfs over /proc", () => {
    const config = plan({}, { lxcfs: ["proc/meminfo"] });
    expect(mountAt(config, "/proc/meminfo")).toMatchObject({
      source: "/var/lib/lxcfs/proc/meminfo",
      type: "bind",
    });
    const places = config.mounts?.map(({ destination }) => destination) ?? [];
    expect(places.indexOf("/proc")).toBeLessThan(places.indexOf("/proc/meminfo"));
  });
});

test("a system container: its init's environment, mounts, capabilities and writable groups", () => {
  const { identity: _, ...facts } = factsWith();
  const config = planConfig(imageWith({ Cmd: ["/sbin/init"] }, "system"), requestWith({ tty: true }), facts);
  expect(config.process.env).toContain("container=lxc");
  expect(mountAt(config, "/run")?.type).toBe("tmpfs");
  expect(mountAt(config, "/etc/hosts")).toBeUndefined();
  expect(mountAt(config, "/sys/fs/cgroup")?.options).not.toContain("ro");
  const { bounding = [] } = config.process.capabilities ?? {};
  expect(bounding).toContain("CAP_SYS_ADMIN");
  expect(bounding).not.toContain("CAP_SYS_MODULE");
});

test.each([
  ["an application", {}, imageWith()],
  [
    "a read-only one with limits",
    { readOnly: true, memory: 1 << 26, cpus: 2, pids: 9, labels: { a: "b" } },
    imageWith(),
  ],
  ["a system", { nesting: true, tty: true }, imageWith({ Cmd: ["/sbin/init"] }, "system")],
] as const)("the config of %s passes the runtime's own validation", (_, request, image) => {
  const config = plan(request, {}, image);
  const text = JSON.stringify(config, (_key, value: unknown) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  expect(parseConfig(text).warnings).toEqual([]);
});
