/** runtime-spec config-linux.md, "Namespaces", "User namespace mappings", "Offset for Time Namespace"; hostname. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runChecked } from "../../../src/host/process.ts";
import { capabilities, TestBundle } from "./bundle.ts";

const kinds = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] as const;
const specName = (kind: string): string => ({ mnt: "mount", net: "network" })[kind] ?? kind;

const links = (pid: number | "self"): Record<string, string> =>
  Object.fromEntries(kinds.map((kind) => [kind, readlinkSync(`/proc/${pid}/ns/${kind}`)]));

/** A process in new namespaces; ended with the test. */
class Pause implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  /** Pid on the host of the process inside. */
  readonly pid: number;

  private constructor(process: Bun.Subprocess, pid: number) {
    this.#process = process;
    this.pid = pid;
  }

  static async make(...flags: readonly string[]): Promise<Pause> {
    const process = Bun.spawn(["unshare", "--fork", "--kill-child", ...flags, "sleep", "1000"], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    for (let i = 0; i < 300; i += 1) {
      const [child] = (await run(["pgrep", "-P", `${process.pid}`])).stdout.split("\n");
      if (child && readFileSync(`/proc/${child}/comm`, "utf8") === "sleep\n")
        return new Pause(process, Number(child));
      await Bun.sleep(10);
    }
    throw new Error("unshare did not start");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}

describe("namespaces", () => {
  test("those that are listed are new, the others are the caller's", async () => {
    await using bundle = await TestBundle.make();
    const pid = await bundle.create({ script: "true", namespaces: { time: "" } });
    const inside = links(pid);
    const own = links("self");
    for (const kind of kinds) {
      if (kind === "user") expect(inside[kind]).toBe(own[kind] ?? "");
      else expect(inside[kind]).not.toBe(own[kind] ?? "");
    }
  });

  test("without any, the mount namespace too is the caller's, and nothing stays in it", async () => {
    await using bundle = await TestBundle.make();
    const none = Object.fromEntries(kinds.map((kind) => [specName(kind), null]));
    const pid = await bundle.start({
      script:
        "echo here > /inside; test -d /proc/self && test -c /dev/null && echo mounted >> /inside; sleep 100",
      namespaces: none,
      linux: { readonlyPaths: [], maskedPaths: [] },
      extra: { hostname: undefined },
    });
    expect(links(pid)).toEqual(links("self"));
    expect(await bundle.ok("exec", bundle.id, "cat", "/inside")).toBe("here\nmounted\n");
    expect(await bundle.ok("exec", bundle.id, "sh", "-c", "cd /; ls ..")).toContain("inside");
    await bundle.ok("delete", "--force", bundle.id);
    expect(await bundle.leftovers()).toEqual([]);
    expect(readFileSync(join(bundle.rootfs, "inside"), "utf8")).toBe("here\nmounted\n");
  });

  test.each([
    ["ipc", "--ipc"],
    ["uts", "--uts"],
    ["net", "--net"],
    ["pid", "--pid"],
    ["cgroup", "--cgroup"],
    ["mnt", "--mount"],
    ["time", "--time"],
  ] as const)("%s by path", async (kind, flag) => {
    await using bundle = await TestBundle.make();
    await using pause = await Pause.make(flag);
    const path = `/proc/${pause.pid}/ns/${kind}`;
    const namespaces = { [specName(kind)]: path };
    const pid = await bundle.start({
      script: "sleep 100",
      namespaces,
      extra: kind === "uts" ? { hostname: undefined } : {},
    });
    expect(links(pid)[kind]).toBe(readlinkSync(path));
    expect(await bundle.ok("exec", bundle.id, "readlink", `/proc/self/ns/${kind}`)).toBe(
      `${readlinkSync(path)}\n`,
    );
    expect(await bundle.ok("exec", bundle.id, "sh", "-c", "test -e /bin/busybox && echo root")).toBe(
      "root\n",
    );
  });

  test("a file pinned by a bind mount joins as well", async () => {
    await using bundle = await TestBundle.make();
    await using pause = await Pause.make("--net");
    const pin = join(bundle.folder, "pin");
    writeFileSync(pin, "");
    await runChecked(["mount", "--bind", `/proc/${pause.pid}/ns/net`, pin]);
    try {
      const pid = await bundle.create({ script: "true", namespaces: { network: pin } });
      expect(links(pid).net).toBe(readlinkSync(`/proc/${pause.pid}/ns/net`));
    } finally {
      await run(["umount", "--lazy", pin]);
    }
  });

  test("in a pod's PID namespace the pause process is 1, and the container's end ends only itself", async () => {
    await using bundle = await TestBundle.make();
    await using pause = await Pause.make("--pid", "--mount-proc");
    const namespaces = { pid: `/proc/${pause.pid}/ns/pid` };
    const said = await bundle.output({ script: "cat /proc/1/comm; echo $$; sleep 60 & true", namespaces });
    expect(said.split("\n")[0]).toBe("sleep");
    expect(Number(said.split("\n")[1])).toBeGreaterThan(1);
    expect(readlinkSync(`/proc/${pause.pid}/ns/pid`)).toContain("pid:");
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("a file that is no namespace of the type is refused by its path in the config", async () => {
    await using bundle = await TestBundle.make();
    for (const [type, path] of [
      ["ipc", "/proc/self/ns/net"],
      ["network", "/etc/passwd"],
      ["uts", "/no/such/file"],
      ["mount", "/proc/self/ns/uts"],
    ] as const) {
      const { exitCode, stderr } = await bundle.run({ namespaces: { [type]: path } });
      expect(exitCode).toBe(1);
      expect(stderr).toContain(path);
      expect(stderr).toContain("linux.namespaces[");
    }
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("hostname and domainname", async () => {
    await using bundle = await TestBundle.make();
    const script = "hostname; cat /proc/sys/kernel/domainname";
    expect(await bundle.output({ script, extra: { hostname: "inside", domainname: "example.org" } })).toBe(
      "inside\nexample.org",
    );
  });

  test("the time namespace's offsets, seconds and nanoseconds", async () => {
    await using bundle = await TestBundle.make();
    const timeOffsets = { monotonic: { secs: 1000, nanosecs: 5 }, boottime: { secs: 200_000, nanosecs: 7 } };
    const said = await bundle.output({
      script: "cat /proc/self/timens_offsets | tr -s ' '; cut -d. -f1 /proc/uptime",
      namespaces: { time: "" },
      linux: { timeOffsets },
    });
    const [monotonic, boottime, uptime] = said.split("\n");
    expect(monotonic).toBe("monotonic 1000 5");
    expect(boottime).toBe("boottime 200000 7");
    const own = Number(readFileSync("/proc/uptime", "utf8").split(".")[0]);
    expect(Number(uptime) - own).toBeGreaterThanOrEqual(200_000);
  });
});

describe("user namespace", () => {
  const maps = {
    uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    gidMappings: [{ containerID: 0, hostID: 200_000, size: 65_536 }],
  };
  const owned = (bundle: TestBundle) => runChecked(["chown", "-R", "100000:200000", bundle.rootfs]);

  test("ids are mapped; a bundle below a folder of mode 0700 is no obstacle", async () => {
    await using bundle = await TestBundle.make();
    await owned(bundle);
    chmodSync(bundle.path, 0o700);
    const said = await bundle.output({
      script:
        "id -u; tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map; stat -c %u /bin /dev/null; touch /made",
      namespaces: { user: "" },
      linux: maps,
    });
    expect(said.split("\n").map((line) => line.trim())).toEqual([
      "0",
      "0 100000 65536",
      "0 200000 65536",
      "0",
      "65534",
    ]);
    expect((await runChecked(["stat", "-c", "%u:%g", join(bundle.rootfs, "made")])).stdout.trim()).toBe(
      "100000:200000",
    );
  });

  test("an unreadable bind source works; the image's own /dev stays as it is", async () => {
    await using bundle = await TestBundle.make();
    await owned(bundle);
    const source = join(bundle.folder, "secret");
    mkdirSync(source, { mode: 0o700 });
    mkdirSync(join(source, "data"));
    writeFileSync(join(source, "data/file"), "data\n");
    await runChecked(["chown", "0:0", join(bundle.rootfs, "dev")]);
    const said = await bundle.output({
      script: "cat /mnt/file",
      namespaces: { user: "" },
      linux: maps,
      mounts: [{ destination: "/mnt", type: "bind", source: join(source, "data"), options: ["bind"] }],
    });
    expect(said).toBe("data");
    expect((await runChecked(["ls", "-A", join(bundle.rootfs, "dev")])).stdout).toBe("");
  });

  test("limits may be raised to what the host's root has; exec finds itself inside", async () => {
    await using bundle = await TestBundle.make();
    await owned(bundle);
    await bundle.start({
      script: "sleep 100",
      namespaces: { user: "" },
      linux: maps,
      process: {
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 512, hard: 1000 }],
        capabilities: capabilities("CAP_CHOWN"),
      },
    });
    const said = await bundle.ok(
      "exec",
      bundle.id,
      "sh",
      "-c",
      "id -u; ulimit -n; grep CapEff /proc/self/status",
    );
    expect(said.replaceAll("\t", " ").split("\n").filter(Boolean)).toEqual([
      "0",
      "512",
      "CapEff: 0000000000000001",
    ]);
  });

  test("joined by path, with its network namespace", async () => {
    await using bundle = await TestBundle.make();
    await owned(bundle);
    await using pause = await Pause.make("--user", "--net");
    writeFileSync(`/proc/${pause.pid}/uid_map`, "0 100000 65536\n");
    writeFileSync(`/proc/${pause.pid}/gid_map`, "0 200000 65536\n");
    const namespaces = { user: `/proc/${pause.pid}/ns/user`, network: `/proc/${pause.pid}/ns/net` };
    const script = "readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u; ls -d /sys/class/net/lo";
    const said = await bundle.output({ script, namespaces, linux: maps });
    expect(said.split("\n")).toEqual([
      readlinkSync(namespaces.user),
      readlinkSync(namespaces.network),
      "0",
      "/sys/class/net/lo",
    ]);
  });

  test("in the caller's mount namespace it is refused: the kernel does not let its root enter", async () => {
    await using bundle = await TestBundle.make();
    const { exitCode, stderr } = await bundle.run({ namespaces: { user: "", mount: null }, linux: maps });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("a new user namespace needs a new mount namespace");
    expect(await bundle.leftovers()).toEqual([]);
  });
});
