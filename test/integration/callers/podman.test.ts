/** podman over us, beyond the plain life of a container: every way of isolating, limiting, joining and failing. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type RunResult, run, runChecked } from "../../../src/host/process.ts";
import {
  busyboxArchive,
  engineTimeout,
  eventually,
  leftovers,
  runOnTerminal,
  untilTerminated,
} from "../../conformance/engine.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";

const folder = mkdtempSync("/var/tmp/lxcri-callers-podman-");
const image = "localhost/busybox:1";
const configuration = join(folder, "containers.conf");
// podman's own default limits are above what a machine without CAP_SYS_RESOURCE may set, for any runtime.
writeFileSync(
  configuration,
  `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
runtime_supports_nocgroup = ["${basename(runtimeUnderTest)}"]
`,
);
const env = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  TERM: "xterm",
  CONTAINERS_CONF: configuration,
};
const command = (...args: readonly string[]): readonly string[] => [
  ...["podman", "--root", join(folder, "root"), "--runroot", join(folder, "run")],
  ...["--tmpdir", join(folder, "tmp"), "--storage-driver", "overlay", "--events-backend", "file"],
  ...["--cgroup-manager", "cgroupfs", "--runtime", runtimeUnderTest],
  ...args,
];
const podman = (...args: readonly string[]): Promise<RunResult> =>
  run(command(...args), { env, timeout: engineTimeout });
const podmanOk = async (...args: readonly string[]): Promise<string> => {
  const result = await podman(...args);
  expect(result).toMatchObject({ exitCode: 0 });
  return result.stdout.trim();
};
/** Runs `script` in a fresh container that is removed at its end. */
const once = (options: readonly string[], script: string): Promise<RunResult> =>
  podman("run", "--rm", ...options, image, "sh", "-c", script);
const inspect = (name: string, format: string): Promise<string> =>
  podmanOk("inspect", "--format", format, name);
const link = (pid: string, kind: string): Promise<string> =>
  runChecked(["readlink", `/proc/${pid}/ns/${kind}`]).then(({ stdout }) => stdout.trim());

/** Again where an exec's own clean-up is still at the same mounts: podman then finds them busy, whatever the runtime. */
const remove = (name: string): Promise<void> =>
  eventually(
    `${name} is removed`,
    async () => (await podman("rm", "--force", "--ignore", "--time=0", name)).exitCode === 0,
  );

beforeAll(async () => {
  const archive = await busyboxArchive(folder, image);
  await runChecked(command("load", "--quiet", "--input", archive), { env });
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "data/file"), "from the host\n");
});
afterEach(async () => {
  await podman("pod", "rm", "--all", "--force", "--time", "0");
  await podman("rm", "--all", "--force", "--time", "0");
});
afterAll(async () => {
  await podman("rmi", "--all", "--force");
  await run(["umount", join(folder, "root/overlay")]);
  expect(await leftovers(basename(folder))).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

const caps = "grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2 | sort -u";

test.each<[string, string[], string, string]>([
  ["numeric user and a further group", ["--user=12345:6", "--group-add=44"], "id -u; id -G", "12345\n6 44\n"],
  ["user by name", ["--user=www-data"], "id -un; id -gn", "www-data\nwww-data\n"],
  ["no capability", ["--cap-drop=all"], caps, "0000000000000000\n"],
  [
    "one capability only",
    ["--cap-drop=all", "--cap-add=net_raw"],
    caps,
    "0000000000000000\n0000000000002000\n",
  ],
  [
    "ambient capability of a user",
    ["--user=33", "--cap-drop=all", "--cap-add=net_raw"],
    "grep CapAmb /proc/self/status",
    "CapAmb:\t0000000000002000\n",
  ],
  [
    "no seccomp filter, no new privileges",
    ["--security-opt=seccomp=unconfined", "--security-opt=no-new-privileges"],
    "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status",
    "NoNewPrivs:\t1\nSeccomp:\t0\n",
  ],
  ["podman's seccomp filter", [], "grep '^Seccomp:' /proc/self/status", "Seccomp:\t2\n"],
  [
    "read-only root with a tmpfs",
    ["--read-only", "--tmpfs=/t:size=1m,mode=700"],
    "touch /x 2>/dev/null || echo no; touch /t/x && stat -c %a /t; df -k /t | tail -1 | awk '{print $2}'",
    "no\n700\n1024\n",
  ],
  [
    "bind mounts",
    [`--volume=${folder}/data:/ro:ro`, `--volume=${folder}/data:/rw`],
    "cat /ro/file; touch /ro/x 2>/dev/null || echo no; touch /rw/made",
    "from the host\nno\n",
  ],
  ["a named volume", ["--volume=v1:/v"], "touch /v/x; ls /v", "x\n"],
  ["a volume that is filled from the image", ["--volume=v2:/etc"], "head -c 4 /etc/passwd", "root"],
  [
    "shared propagation",
    [`--mount=type=bind,src=${folder}/data,dst=/b,bind-propagation=rslave,ro=true`],
    "grep -c ' /b ro' /proc/self/mountinfo",
    "1\n",
  ],
  ["size of /dev/shm", ["--shm-size=3m"], "df -k /dev/shm | tail -1 | awk '{print $2}'", "3072\n"],
  ["a device", ["--device=/dev/null:/dev/xyz"], "stat -c '%t:%T' /dev/xyz; echo a >/dev/xyz", "1:3\n"],
  ["umask", ["--umask=077"], "umask", "0077\n"],
  ["limits of open files", ["--ulimit=nofile=100:200"], "ulimit -Sn; ulimit -Hn", "100\n200\n"],
  ["a sysctl", ["--sysctl=net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1\n"],
  ["OOM score", ["--oom-score-adj=500"], "cat /proc/self/oom_score_adj", "500\n"],
  [
    "memory, CPU and process limits",
    ["--memory=32m", "--cpus=0.5", "--pids-limit=33", "--cpuset-cpus=0"],
    "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus",
    "33554432\n50000\n33\n0\n",
  ],
  ["masked path", ["--security-opt=mask=/proc/cpuinfo"], "wc -c </proc/cpuinfo", "0\n"],
  [
    "a hosts entry",
    ["--hostname=a.b", "--add-host=x:1.2.3.4"],
    "hostname; grep -c 1.2.3.4 /etc/hosts",
    "a.b\n1\n",
  ],
  [
    "loopback alone",
    ["--network=none"],
    "ip -o link | cut -d: -f2; ping -c1 -q 127.0.0.1 | grep -c ' 0% '",
    " lo\n1\n",
  ],
  ["a read-only /sys", [], "touch /sys/x 2>/dev/null || echo no", "no\n"],
  ["personality", ["--personality=LINUX32"], "uname -m", "i686\n"],
  [
    "a user namespace",
    ["--uidmap=0:100000:65536", "--gidmap=0:100000:65536"],
    "awk '{print $1,$2,$3}' /proc/self/uid_map; touch /x; stat -c %u:%g /x; cat /dev/null; ls -ld /proc/1 | awk '{print $3}'",
    "0 100000 65536\n0:0\nroot\n",
  ],
])("run: %s", async (_, options, script, stdout) => {
  expect(await once(options, script)).toMatchObject({ exitCode: 0, stdout });
});

test("a bind mount is written to as asked", async () => {
  await once([`--volume=${folder}/data:/rw`], "echo new >/rw/new");
  expect(readFileSync(join(folder, "data/new"), "utf8")).toBe("new\n");
});

describe("the host's namespaces", () => {
  test.each([
    ["network", "net"],
    ["pid", "pid"],
    ["ipc", "ipc"],
    ["uts", "uts"],
    ["cgroupns", "cgroup"],
  ])("--%s host", async (option, kind) => {
    const { stdout } = await once([`--${option}=host`], `readlink /proc/self/ns/${kind}`);
    expect(stdout.trim()).toBe(await link("self", kind));
  });

  test("a privileged container has all capabilities and devices", async () => {
    const { stdout } = await once(["--privileged"], `grep CapEff /proc/self/status; ls /dev | wc -l`);
    const [effective, devices] = stdout.split("\n");
    const own = /^CapBnd:.*$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[0];
    expect(effective?.replace("CapEff", "CapBnd")).toBe(own ?? "");
    expect(Number(devices)).toBeGreaterThan(20);
  });
});

describe("exit codes and error texts", () => {
  test.each([
    [127, ["nosuch"], `exec: "nosuch": executable file not found in $PATH: OCI runtime attempted to invoke`],
    [127, ["/no/such"], `exec: "/no/such": stat /no/such: no such file or directory: OCI runtime attempted`],
    [126, ["/etc/passwd"], `exec: "/etc/passwd": permission denied: OCI permission denied`],
    [126, ["/bin"], `exec: "/bin": permission denied: OCI permission denied`],
  ])("run: %d for %j", async (exitCode, argv, text) => {
    const result = await podman("run", "--rm", image, ...argv);
    expect(result).toMatchObject({ exitCode, stderr: expect.stringContaining(text) });
  });

  test("exec: a program or a folder that is not there, a file that is no program, a code, a signal", async () => {
    await podmanOk("run", "--detach", "--name=e", image, "sleep", "1000");
    const exec = (...args: readonly string[]) => podman("exec", ...args);
    const missing = await exec("e", "nosuch");
    expect(missing).toMatchObject({ exitCode: 127, stderr: expect.stringContaining("not found in $PATH") });
    const denied = await exec("e", "/etc/passwd");
    expect(denied).toMatchObject({ exitCode: 126, stderr: expect.stringContaining("permission denied") });
    const nowhere = await exec("--workdir=/nosuch", "e", "pwd");
    expect(nowhere).toMatchObject({
      exitCode: 127,
      stderr: expect.stringContaining(
        `chdir to cwd ("/nosuch") set in config.json failed: no such file or directory`,
      ),
    });
    expect((await exec("e", "sh", "-c", "exit 7")).exitCode).toBe(7);
    expect((await exec("e", "sh", "-c", "kill -9 $$")).exitCode).toBe(137);
    expect((await exec("e", "sh", "-c", "kill $$")).exitCode).toBe(143);
  });

  test("a container that needs more memory than it may have ends with 137", async () => {
    const limits = ["--memory=16m", "--memory-swap=16m"];
    const result = await podman(
      "run",
      "--rm",
      ...limits,
      image,
      "dd",
      "if=/dev/zero",
      "of=/dev/null",
      "bs=200M",
    );
    expect(result.exitCode).toBe(137);
  });

  test("a time limit ends it", async () => {
    expect((await podman("run", "--rm", "--timeout=1", image, "sleep", "1000")).exitCode).toBe(255);
  });
});

describe("exec", () => {
  test("user, environment, folder, standard input, all capabilities, detached", async () => {
    await podmanOk("run", "--detach", "--name=e", image, "sleep", "1000");
    const script = "id -u; id -g; pwd; echo $A";
    const options = ["--user=33:44", "--env=A=b c", "--workdir=/tmp"];
    expect(await podmanOk("exec", ...options, "e", "sh", "-c", script)).toBe("33\n44\n/tmp\nb c");
    const piped = await run(command("exec", "--interactive", "e", "cat"), { env, stdin: "in\n" });
    expect(piped).toMatchObject({ stdout: "in\n", exitCode: 0 });
    const own = /^CapBnd:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    expect(
      await podmanOk("exec", "--privileged", "e", "sh", "-c", "grep CapEff /proc/self/status"),
    ).toContain(own);
    await podmanOk("exec", "--detach", "e", "sh", "-c", "echo x >/tmp/made");
    await eventually(
      "the detached process has run",
      async () => (await podman("exec", "e", "cat", "/tmp/made")).stdout === "x\n",
    );
  });

  test("a terminal is a terminal", async () => {
    await podmanOk("run", "--detach", "--name=e", image, "sleep", "1000");
    const script = "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; exit 4";
    const result = await runOnTerminal(
      command("exec", "--tty", "--interactive", "e", "sh", "-c", script),
      env,
    );
    expect(result.stdout).toContain("/dev/pts/");
    expect(result.stdout).toContain("all");
    expect(result.exitCode).toBe(4);
  });

  test("descriptors from 3 up are passed on, no other", async () => {
    await podmanOk("run", "--detach", "--name=e", image, "sleep", "1000");
    const shell = (argv: readonly string[]): readonly string[] => [
      "sh",
      "-c",
      `exec 3<${folder}/data/file 4</dev/null; exec "$@"`,
      "sh",
      ...argv,
    ];
    const script = "cat <&3; [ -e /proc/self/fd/4 ] || echo closed";
    const options = ["--preserve-fds=1"];
    const inExec = await run(shell(command("exec", ...options, "e", "sh", "-c", script)), { env });
    expect(inExec).toMatchObject({ stdout: "from the host\nclosed\n", exitCode: 0 });
    const inRun = await run(shell(command("run", "--rm", ...options, image, "sh", "-c", script)), { env });
    expect(inRun).toMatchObject({ stdout: "from the host\nclosed\n", exitCode: 0 });
  });
});

describe("a container's life", () => {
  test("attach, top, stats, new limits, signals, pause, restart, removal while it runs", async () => {
    const script = `trap 'echo got' USR1; ${untilTerminated}`;
    const id = await podmanOk("run", "--detach", "--name=life", "--memory=64m", image, "sh", "-c", script);
    const logs = async (): Promise<string> => (await podman("logs", "life")).stdout;
    await eventually("ready", async () => (await logs()) === "ready\n");

    expect(await podmanOk("top", "life", "pid", "user", "args")).toMatch(/^1 +root +sh -c/m);
    expect(await podmanOk("stats", "--no-stream", "--format={{.MemLimit}}", "life")).toBe(String(64 << 20));
    await podmanOk("update", "--memory=128m", "life");
    const limit = ["cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    expect(await podmanOk("exec", "life", ...limit)).toBe(String(128 << 20));

    await podmanOk("kill", "--signal=USR1", "life");
    await eventually("the signal arrived", async () => (await logs()) === "ready\ngot\n");
    await podmanOk("pause", "life");
    expect(await inspect("life", "{{.State.Status}}")).toBe("paused");
    expect((await podman("exec", "life", "true")).exitCode).not.toBe(0);
    await podmanOk("unpause", "life");

    await podmanOk("stop", "--time=10", "life");
    expect(await inspect("life", "{{.State.ExitCode}}")).toBe("143");
    await podmanOk("start", "life");
    await podmanOk("restart", "--time=10", "life");
    expect(await inspect("life", "{{.State.Status}} {{.ID}}")).toBe(`running ${id}`);
    await remove("life");
    expect(await leftovers(id)).toEqual([]);
  });

  test("killed while paused", async () => {
    const id = await podmanOk("run", "--detach", "--name=frozen", image, "sleep", "1000");
    await podmanOk("pause", "frozen");
    await remove("frozen");
    expect(await leftovers(id)).toEqual([]);
  });

  test("an init of podman's is its first process", async () => {
    const init = join(folder, "init");
    writeFileSync(init, '#!/bin/sh\nshift\n"$@"\n', { mode: 0o755 });
    const { stdout } = await once(["--init", `--init-path=${init}`], "tr '\\0' ' ' </proc/1/cmdline");
    expect(stdout).toStartWith("/bin/sh /run/podman-init -- sh -c");
  });

  test("in a user namespace: terminal, exec as another user, limits, a volume, removal", async () => {
    const mapping = ["--uidmap=0:100000:65536", "--gidmap=0:100000:65536"];
    const options = [...mapping, "--name=mapped", "--memory=64m", `--volume=${folder}/data:/data:ro`];
    const id = await podmanOk("run", "--detach", ...options, image, "sleep", "1000");
    expect(await podmanOk("exec", "mapped", "cat", "/data/file")).toBe("from the host");
    expect(await podmanOk("exec", "--user=33", "mapped", "id", "-u")).toBe("33");
    const script = "stat -c %u $(tty); exit 4";
    const terminal = await runOnTerminal(command("exec", "--tty", "mapped", "sh", "-c", script), env);
    expect(terminal.stdout).toContain("0\r\n");
    expect(terminal.exitCode).toBe(4);
    await remove("mapped");
    expect(await leftovers(id)).toEqual([]);
  });

  test("another container's PID and network namespaces are joined", async () => {
    await podmanOk("run", "--detach", "--name=first", image, "sleep", "1000");
    const join = ["--pid=container:first", "--network=container:first"];
    const { stdout } = await once(join, "ps -o args | grep -c ^sleep; readlink /proc/self/ns/net");
    expect(stdout).toBe(`1\n${await link(await inspect("first", "{{.State.Pid}}"), "net")}\n`);
  });

  test("a seccomp profile of one's own", async () => {
    const profile = join(folder, "profile.json");
    const rule = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 };
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] }));
    const result = await once([`--security-opt=seccomp=${profile}`], "mkdir /x");
    expect(result).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("Function not implemented"),
    });
  });

  test("a container without cgroup management", async () => {
    const id = await podmanOk("run", "--detach", "--cgroups=disabled", "--name=free", image, "sleep", "1000");
    expect(await podmanOk("exec", "free", "id", "-u")).toBe("0");
    await podmanOk("kill", "free");
    await podmanOk("wait", "free");
    await podmanOk("rm", "free");
    expect(await leftovers(id)).toEqual([]);
  });

  test("files are copied out and in", async () => {
    await podmanOk("run", "--detach", "--name=files", image, "sleep", "1000");
    await podmanOk("cp", join(folder, "data/file"), "files:/tmp/copied");
    expect(await podmanOk("exec", "files", "cat", "/tmp/copied")).toBe("from the host");
    await podmanOk("cp", "files:/etc/passwd", join(folder, "passwd"));
    expect(readFileSync(join(folder, "passwd"), "utf8")).toStartWith("root:");
  });
});

describe("pods", () => {
  const create = (share: string): Promise<string> =>
    podmanOk(
      ...["pod", "create", "--name=p", `--infra-image=${image}`],
      ...["--infra-command=sleep 1000", `--share=${share}`],
    );
  const pid = (name: string): Promise<string> => inspect(name, "{{.State.Pid}}");

  test.each([
    ["net,ipc,uts", ["net", "ipc", "uts"], ["pid", "mnt"]],
    ["net,ipc,uts,pid", ["net", "ipc", "uts", "pid"], ["mnt"]],
  ])("share %s", async (share, shared, own) => {
    const pod = await create(share);
    const member = (name: string): Promise<string> =>
      podmanOk("run", "--detach", "--pod=p", `--name=${name}`, image, "sleep", "1000");
    const ids = [await member("a"), await member("b")] as const;
    const [a, b] = [await pid("a"), await pid("b")];
    for (const kind of shared) expect(await link(a, kind)).toBe(await link(b, kind));
    for (const kind of own) expect(await link(a, kind)).not.toBe(await link(b, kind));
    expect(await podmanOk("exec", "a", "hostname")).toBe("p");

    await podmanOk("kill", "a");
    expect(await podmanOk("wait", "a")).toBe("137");
    expect(await inspect("b", "{{.State.Status}}")).toBe("running");
    await podmanOk("pod", "stop", "--time=0", "p");
    await podmanOk("pod", "start", "p");
    await podmanOk("pod", "pause", "p");
    expect(await inspect("b", "{{.State.Status}}")).toBe("paused");
    await podmanOk("pod", "unpause", "p");
    expect(await inspect("b", "{{.State.Status}}")).toBe("running");
    await podmanOk("pod", "rm", "--force", "--time=0", "p");
    expect([...(await leftovers(ids[0])), ...(await leftovers(ids[1]))]).toEqual([]);
    // podman's own: it forgets its pods' groups in the hierarchies that have no controller.
    await run(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-name", pod, "-delete"]);
  });
});
