/** runtime-spec config.md, "Process": each property as the program in the container finds it. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { capabilities, TestBundle } from "./bundle.ts";

const statusLine = (name: string) => `grep '^${name}:' /proc/self/status | tr -s '\\t ' ' '`;

describe("args and env", () => {
  test("reach the program as they are, blanks, newlines and quotes too", async () => {
    await using bundle = await TestBundle.make();
    const args = ["/bin/sh", "-c", 'printf "<%s>" "$@"', "sh", "a b", "c\nd", `'"$x`, ""] as const;
    expect((await bundle.run({ process: { args } })).stdout).toBe(`<a b><c\nd><'"$x><>`);
  });

  test("env is what the config has, with HOME of the user where it has none", async () => {
    await using bundle = await TestBundle.make();
    const env = ["PATH=/bin", "A=1 2", "EMPTY=", "container=no"];
    expect((await bundle.output({ process: { args: ["/bin/env"], env } })).split("\n").sort()).toEqual([
      "A=1 2",
      "EMPTY=",
      "HOME=/root",
      "PATH=/bin",
      "container=no",
    ]);
  });

  test("the program is looked up in the container's PATH; a missing one is told at create", async () => {
    await using bundle = await TestBundle.make();
    expect(await bundle.output({ process: { args: ["echo", "found"], env: ["PATH=/nowhere:/bin"] } })).toBe(
      "found",
    );
    const { exitCode, stderr } = await bundle.run({ process: { args: ["nosuch"], env: ["PATH=/bin"] } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('exec: "nosuch": executable file not found in $PATH');
    expect(await bundle.leftovers()).toEqual([]);
  });
});

describe("cwd", () => {
  test("is made where it is missing", async () => {
    await using bundle = await TestBundle.make();
    expect(await bundle.output({ script: "pwd", process: { cwd: "/a/b" } })).toBe("/a/b");
  });

  test("follows links inside the root", async () => {
    await using bundle = await TestBundle.make();
    mkdirSync(join(bundle.rootfs, "srv"));
    symlinkSync("/srv", join(bundle.rootfs, "link"));
    symlinkSync("../../../../../../tmp", join(bundle.rootfs, "up"));
    expect(await bundle.output({ script: "pwd -P", process: { cwd: "/link" } })).toBe("/srv");
    expect(await bundle.output({ script: "pwd -P", process: { cwd: "/up" } })).toBe("/tmp");
  });

  test("is refused outside the root (a descriptor of the host's), and where it is a file", async () => {
    await using bundle = await TestBundle.make();
    for (let fd = 3; fd < 12; fd += 1) {
      const { stdout } = await bundle.run({ script: "pwd; ls", process: { cwd: `/proc/self/fd/${fd}` } });
      expect(stdout).not.toContain("boot");
    }
    const { exitCode, stderr } = await bundle.run({ process: { cwd: "/etc/passwd" } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("/etc/passwd: not a directory");
    expect(await bundle.leftovers()).toEqual([]);
  });
});

test("user, additionalGids and umask", async () => {
  await using bundle = await TestBundle.make();
  const user = { uid: 1234, gid: 567, additionalGids: [10, 20], umask: 0o027 };
  const script = "id -u; id -g; id -G; umask; echo $HOME";
  expect((await bundle.output({ script, process: { user } })).split("\n")).toEqual([
    "1234",
    "567",
    "567 10 20",
    "0027",
    "/",
  ]);
});

describe("capabilities", () => {
  const sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(statusLine).join("; ");

  test("each of the five sets", async () => {
    await using bundle = await TestBundle.make();
    const wanted = {
      bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
      permitted: ["CAP_CHOWN", "CAP_KILL"],
      effective: ["CAP_CHOWN"],
      inheritable: ["CAP_KILL"],
      ambient: [],
    };
    // As execve(2) computes them for root: permitted and effective become what the bounding set allows.
    expect(
      (
        await bundle.output({ script: sets, process: { capabilities: wanted, noNewPrivileges: false } })
      ).split("\n"),
    ).toEqual([
      "CapInh: 0000000000000020",
      "CapPrm: 00000000000000a1",
      "CapEff: 00000000000000a1",
      "CapBnd: 00000000000000a1",
      "CapAmb: 0000000000000000",
    ]);
  });

  test("ambient ones stay with a user that is not root; without them he has none", async () => {
    await using bundle = await TestBundle.make();
    const user = { uid: 1000, gid: 1000 };
    const kept = capabilities("CAP_NET_BIND_SERVICE");
    expect(
      (await bundle.output({ script: sets, process: { user, capabilities: kept } })).split("\n"),
    ).toEqual(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => `${name}: 0000000000000400`));
    const lost = { ...kept, ambient: [], inheritable: [] };
    expect(await bundle.output({ script: statusLine("CapEff"), process: { user, capabilities: lost } })).toBe(
      "CapEff: 0000000000000000",
    );
  });
});

describe("limits and scheduling", () => {
  test("rlimits", async () => {
    await using bundle = await TestBundle.make();
    const rlimits = [
      { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      { type: "RLIMIT_NPROC", soft: 50, hard: 60 },
    ] as const;
    const limits = await bundle.output({ script: "cat /proc/self/limits", process: { rlimits } });
    expect(limits).toMatch(/Max open files +100 +200 /);
    expect(limits).toMatch(/Max core file size +0 +0 /);
    expect(limits).toMatch(/Max processes +50 +60 /);
  });

  test("noNewPrivileges on and off", async () => {
    await using bundle = await TestBundle.make();
    for (const noNewPrivileges of [true, false]) {
      const line = await bundle.output({ script: statusLine("NoNewPrivs"), process: { noNewPrivileges } });
      expect(line).toBe(`NoNewPrivs: ${noNewPrivileges ? 1 : 0}`);
    }
  });

  test("oomScoreAdj is raised; below what this process may set it is clamped with a warning", async () => {
    await using bundle = await TestBundle.make();
    const script = "cat /proc/self/oom_score_adj";
    expect(await bundle.output({ script, process: { oomScoreAdj: 500 } })).toBe("500");
    const { stdout, stderr, exitCode } = await bundle.run({ script, process: { oomScoreAdj: -500 } });
    expect(exitCode).toBe(0);
    const own = readFileSync("/proc/self/oom_score_adj", "utf8").trim();
    if (stdout.trim() !== "-500") {
      expect(stdout.trim()).toBe(own);
      expect(stderr).toContain("oomScoreAdj");
    }
  });

  test("scheduler: a policy with its nice value", async () => {
    await using bundle = await TestBundle.make();
    const pid = await bundle.start({
      script: "sleep 100",
      process: { scheduler: { policy: "SCHED_BATCH", nice: 5 } },
    });
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    expect({ nice: stat[16], policy: stat[38] }).toEqual({ nice: "5", policy: "3" });
  });

  test("ioPriority", async () => {
    await using bundle = await TestBundle.make();
    const ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 } as const;
    expect(await bundle.output({ script: "ionice", process: { ioPriority } })).toBe("best-effort: prio 6");
  });

  test("execCPUAffinity is exec's, not init's", async () => {
    await using bundle = await TestBundle.make();
    const script = `${statusLine("Cpus_allowed_list")} > /cpus; sleep 100`;
    await bundle.start({ script, process: { execCPUAffinity: { initial: "0", final: "1" } } });
    const inside = await bundle.ok("exec", bundle.id, "/bin/sh", "-c", statusLine("Cpus_allowed_list"));
    expect(inside.trim()).toBe("Cpus_allowed_list: 1");
    const own = /Cpus_allowed_list:\s+(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    expect(readFileSync(join(bundle.rootfs, "cpus"), "utf8").trim()).toBe(`Cpus_allowed_list: ${own}`);
  });
});

describe("linux.personality and linux.memoryPolicy", () => {
  test("LINUX32 shows another machine", async () => {
    await using bundle = await TestBundle.make();
    const machine = (domain: "LINUX" | "LINUX32") =>
      bundle.output({ script: "uname -m", linux: { personality: { domain } } });
    expect(await machine("LINUX")).toBe(process.arch === "x64" ? "x86_64" : "aarch64");
    expect(await machine("LINUX32")).toBe(process.arch === "x64" ? "i686" : "armv8l");
  });

  test("a memory policy holds for the program", async () => {
    await using bundle = await TestBundle.make();
    const memoryPolicy = { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] } as const;
    const maps = await bundle.output({ script: "cat /proc/self/numa_maps", linux: { memoryPolicy } });
    expect(maps).toContain("bind=static:0");
  });
});

describe("terminal", () => {
  test("a terminal of the wanted size, owned by the user, is the program's controlling one", async () => {
    await using bundle = await TestBundle.make();
    bundle.configure({
      script:
        "tty; stty size; stat -c %u $(tty); echo > /dev/tty && echo controlling; ls -l /dev/console | cut -c1",
      process: {
        terminal: true,
        consoleSize: { height: 33, width: 77 },
        user: { uid: 1000, gid: 1000 },
      },
    });
    const { terminalOf } = await import("./console.ts");
    const said = await terminalOf(bundle);
    expect(
      said
        .split(/\r?\n/)
        .map((line) => line.trim())
        .filter(Boolean),
    ).toEqual(["/dev/pts/0", "33 77", "1000", "controlling", "c"]);
  });
});
