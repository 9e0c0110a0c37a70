/** `launch` and the commands for people, end to end: real images, real containers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { runChecked } from "../../src/host/process.ts";
import { buildBusyboxImage } from "../images/build.ts";
import { pushLayout, startRegistry } from "../images/registry.ts";
import { eventually, LaunchWorld } from "./launch.fixture.ts";

const world = new LaunchWorld();
const name = (suffix: string): string => `${world.prefix}${suffix}`;
const ticker = `#!/bin/sh
trap 'echo "told to stop"; exit 5' USR1
echo "hello from $(hostname), user $(id -u)"
echo "to stderr" >&2
while :; do sleep 0.05; done
`;
let image = "";

/** Runs a command in a container of its own to its end. */
const inside = (flags: readonly string[], script: string) =>
  world.run(["launch", "--rm", ...flags, image, "--", "sh", "-c", script]);

beforeAll(async () => {
  buildBusyboxImage(world.at("image"), {
    config: {
      Cmd: ["/srv/ticker"],
      Env: ["PATH=/bin", "FROM_IMAGE=yes"],
      Labels: { colour: "blue" },
      StopSignal: "SIGUSR1",
      WorkingDir: "/srv",
      Volumes: { "/var/log": {} },
    },
    extraFiles: { "srv/ticker": ticker, "var/log/first": "from the image\n" },
  });
  image = `oci:${world.at("image")}`;
});
afterAll(() => world.dispose());

describe("in the foreground", () => {
  test("output, exit code, and nothing left", async () => {
    const id = name("fore");
    const { stdout, stderr, exitCode } = await inside(
      ["--name", id],
      "echo out; echo err >&2; pwd; echo $FROM_IMAGE $HOSTNAME; exit 7",
    );
    expect({ stdout, exitCode }).toEqual({ stdout: `out\n/srv\nyes ${id}\n`, exitCode: 7 });
    expect(stderr).toEndWith("err\n");
    expect(await world.leftovers(id)).toEqual([]);
  });

  test("large and binary output arrives whole", async () => {
    const { stdout } = await inside([], "seq 1 100000");
    expect(stdout).toHaveLength(588_895);
    const bytes = await runChecked([
      "sh",
      "-c",
      '"$@" | sha256sum',
      "sh",
      ...world.argv,
      "launch",
      "--rm",
      image,
      "cat",
      "/bin/busybox",
    ]);
    expect(bytes.stdout).toBe((await runChecked(["sh", "-c", "sha256sum < /bin/busybox"])).stdout);
  });

  test("standard input is passed on when asked for", async () => {
    const read = (flags: string[]) =>
      world.run(["launch", "--rm", ...flags, image, "sh", "-c", "cat; echo end"], { stdin: "one\ntwo\n" });
    expect((await read(["-i"])).stdout).toBe("one\ntwo\nend\n");
    expect((await read([])).stdout).toBe("end\n");
  });

  test("a signal is passed on", async () => {
    const id = name("signal");
    const child = Bun.spawn([...world.argv, "launch", "--rm", "--name", id, image], {
      stdout: "pipe",
      stderr: "ignore",
    });
    await eventually("it runs", async () => (await world.run(["logs", id])).stdout.includes("hello"));
    child.kill("SIGUSR1");
    expect(await child.exited).toBe(5);
    expect(await new Response(child.stdout).text()).toEndWith("told to stop\n");
    expect(await world.leftovers(id)).toEqual([]);
  });

  test("it goes on without us, and is removed at its own end", async () => {
    const id = name("alone");
    const child = Bun.spawn([...world.argv, "launch", "--rm", "--name", id, image], {
      stdout: "ignore",
      stderr: "ignore",
    });
    await eventually("it runs", async () => (await world.run(["logs", id])).stdout.includes("hello"));
    child.kill("SIGKILL");
    await child.exited;
    expect((await world.run(["exec", id, "echo", "there"])).stdout).toBe("there\n");
    await world.ok("kill", id, "USR1");
    await eventually("it is gone", async () => (await world.leftovers(id)).length === 0);
  });

  test("a terminal: size, input, exit code, and ctrl-p ctrl-q", async () => {
    const script = (command: string, typed: string) =>
      runChecked([
        ...[
          "sh",
          "-c",
          '(sleep 1; printf "$2"; sleep 1) | script -qec "stty rows 33 cols 99; $1; echo code=\\$?" /dev/null',
        ],
        ...["sh", command, typed],
      ]);
    const launch = [...world.argv, "launch", "-it"].join(" ");
    const { stdout } = await script(
      `${launch} --rm ${image} -- sh -c 'tty; stty size; read x; echo got $x; exit 9'`,
      "word\\n",
    );
    expect(stdout).toContain("/dev/pts/0");
    expect(stdout).toContain("33 99");
    expect(stdout).toContain("got word");
    expect(stdout).toContain("code=9");
    const id = name("detach");
    const detached = await script(`${launch} --name ${id} ${image}`, "\\020\\021");
    expect(detached.stdout).toContain("code=0");
    expect(detached.stdout).toContain(`${id} goes on`);
    const attached = await script(
      `(sleep 0.5; ${world.argv.join(" ")} kill ${id} USR1) & ${world.argv.join(" ")} attach ${id}`,
      "",
    );
    expect(attached.stdout).toContain("told to stop");
    expect(attached.stdout).toContain("code=5");
    await world.ok("rm", "-v", id);
  });
});

describe("what it is given", () => {
  test("confinement: user namespace, seccomp, capabilities, loopback only", async () => {
    const { stdout } = await inside(
      [],
      "cat /proc/self/uid_map; grep -E '^(Seccomp|CapEff):' /proc/1/status; ls /sys/class/net; ls -l /proc/keys",
    );
    expect(stdout).toMatch(/^\s+0\s+100000\s+65536$/m);
    expect(stdout).toContain("Seccomp:\t2");
    expect(stdout).toContain("CapEff:\t00000000a80425fb");
    expect(stdout).toMatch(/^lo$/m);
    expect(stdout).toMatch(/1,\s+3/);
  });

  test("limits, visible in its control groups", async () => {
    const id = name("limits");
    await world.ok("launch", "-d", "--name", id, "--memory", "64m", "--cpus", "0.5", "--pids", "20", image);
    const [usage] = JSON.parse(await world.ok("stats", "--no-stream", "--json", id)) as Record<
      string,
      unknown
    >[];
    expect(usage).toMatchObject({ name: id, memoryLimit: 64 << 20, processLimit: 20 });
    const { stdout } = await world.run([
      "exec",
      id,
      "sh",
      "-c",
      "for i in $(seq 30); do sleep 0.5 & done; echo no",
    ]);
    expect(stdout).not.toContain("no\n");
    expect(await world.ok("stats", "--no-stream", id)).toContain("64.0 MiB");
    await world.ok("rm", "-f", "-v", id);
  });

  test("environment, user, host name, directory, labels, read-only root", async () => {
    const flags = ["-e", "A=b", "-u", "nobody:users", "--hostname", "other", "-w", "/tmp", "--read-only"];
    const { stdout } = await inside(
      flags,
      "id; echo $A $FROM_IMAGE $HOME; hostname; cat /etc/hostname; pwd; touch /x 2>&1; echo; grep other /etc/hosts",
    );
    expect(stdout).toContain("uid=65534(nobody) gid=100(users)");
    expect(stdout).toContain("b yes /home\nother\nother\n/tmp\n");
    expect(stdout).toContain("Read-only file system");
    expect(stdout).toMatch(/127\.0\.1\.1\s+other/);
  });

  test("entrypoint in place of the image's; --cap-drop", async () => {
    const { stdout } = await world.run([
      ...[
        "launch",
        "--rm",
        "--cap-drop",
        "ALL",
        "--entrypoint",
        "/bin/grep",
        image,
        "CapBnd",
        "/proc/self/status",
      ],
    ]);
    expect(stdout).toBe("CapBnd:\t0000000000000000\n");
  });

  test("volumes: named ones stay, begin with the image's content, and are shared", async () => {
    const volume = `${world.prefix}vol`;
    const mounted = ["-v", `${volume}:/var/log`];
    expect((await inside(mounted, "cat /var/log/first; echo more > /var/log/second")).stdout).toBe(
      "from the image\n",
    );
    expect((await inside(mounted, "cat /var/log/second")).stdout).toBe("more\n");
    expect(
      (await inside([...mounted.slice(0, 1), `${volume}:/var/log:ro`], "echo x > /var/log/x; echo $?"))
        .stdout,
    ).toBe("1\n");
  });

  test("a volume whose owners are shifted is the same for an unprivileged and a privileged container", async () => {
    const mounted = ["-v", `${world.prefix}shifted:/shared:idmap`];
    expect((await inside(mounted, "touch /shared/file; chown 33 /shared/file")).exitCode).toBe(0);
    const flags = ["--privileged", "-v", `${world.prefix}shifted:/shared`];
    expect((await inside(flags, "stat -c '%u %g' /shared /shared/file")).stdout).toBe("0 0\n33 0\n");
  });

  test("a path of the host, a tmpfs, and a device", async () => {
    mkdirSync(world.at("shared"));
    writeFileSync(world.at("shared/file"), "the host's\n");
    const { stdout } = await inside(
      [
        "-v",
        `${world.at("shared")}:/mnt:ro`,
        "--mount",
        "type=tmpfs,dst=/t,tmpfs-size=64k",
        "--device",
        "/dev/fuse",
      ],
      "cat /mnt/file; touch /mnt/x || echo no; df -k /t | grep -c 64; ls -l /dev/fuse",
    );
    expect(stdout).toStartWith("the host's\nno\n1\n");
    expect(stdout).toMatch(/10, 229 .*\/dev\/fuse/);
  });

  test("the host's network, or one by its path", async () => {
    const interfaces = async (network: string) =>
      (await inside(["--network", network], "ls /sys/class/net")).stdout;
    expect((await interfaces("host")).trim().split("\n").length).toBeGreaterThan(0);
    const netns = name("ns");
    await runChecked(["ip", "netns", "add", netns]);
    try {
      await runChecked([
        "ip",
        "-n",
        netns,
        "link",
        "add",
        "lxcri-test0",
        "type",
        "veth",
        "peer",
        "lxcri-test1",
      ]);
      const joined = await inside(["--network", `ns:/run/netns/${netns}`], "ip link");
      expect(joined).toMatchObject({ stdout: expect.stringContaining("lxcri-test0"), stderr: "" });
    } finally {
      await runChecked(["ip", "netns", "del", netns]);
    }
  });

  test.skipIf(Bun.which("lxcfs") === null)("lxcfs where it runs: memory is the limit's", async () => {
    const script = `
      mkdir -p /var/lib/lxcfs
      lxcfs -f -p ${world.at("lxcfs.pid")} /var/lib/lxcfs >/dev/null 2>&1 &
      for i in $(seq 100); do [ -e /var/lib/lxcfs/proc/meminfo ] && break; sleep 0.05; done
      "$@"
      kill $!
      wait`;
    const launch = [
      ...world.argv,
      "launch",
      "--rm",
      "--memory",
      "64m",
      image,
      "head",
      "-n1",
      "/proc/meminfo",
    ];
    // In a mount namespace of the test's own: nobody else is to see it.
    const { stdout } = await runChecked(["unshare", "--mount", "sh", "-c", script, "sh", ...launch]);
    expect(stdout).toMatch(/^MemTotal:\s+65536 kB$/m);
  });

  test("privileged: root is root", async () => {
    const { stdout } = await inside(
      ["--privileged"],
      "cat /proc/self/uid_map; grep Seccomp: /proc/self/status",
    );
    expect(stdout).toMatch(/0\s+0\s+4294967295/);
    expect(stdout).toContain("Seccomp:\t0");
  });
});

describe("the life of a detached container", () => {
  const id = name("life");
  const bundleOf = (): string => world.at("data/containers", id, "bundle");

  test("launch, exec, logs, state, list, inspect, top", async () => {
    expect(await world.ok("launch", "-d", "--name", id, "--label", "a=b", image)).toBe(`${id}\n`);
    await eventually("it speaks", async () => (await world.ok("logs", id)).includes("hello"));
    const logs = await world.run(["logs", "--timestamps", id]);
    expect(logs.stdout).toMatch(/^\d{4}-\S+ hello from \S+, user 0\n$/);
    expect(logs.stderr).toMatch(/^\S+ to stderr\n$/);
    expect(await world.run(["exec", id, "sh", "-c", "echo $FROM_IMAGE; exit 3"])).toMatchObject({
      stdout: "yes\n",
      exitCode: 3,
    });
    expect(
      await world.ok(
        "exec",
        "-u",
        "www-data",
        "-w",
        "/tmp",
        "-e",
        "X=y",
        id,
        "sh",
        "-c",
        "id -un; pwd; echo $X $HOME",
      ),
    ).toBe("www-data\n/tmp\ny /var\n");
    expect((await world.run(["exec", "-u", "nosuch", id, "true"])).stderr).toContain('user "nosuch"');
    expect(JSON.parse(await world.ok("state", id))).toMatchObject({ status: "running", bundle: bundleOf() });
    expect(JSON.parse(await world.ok("list", "--json"))).toContainEqual(
      expect.objectContaining({ id, status: "running", image }),
    );
    expect(await world.ok("list")).toContain(image);
    const [inspected] = JSON.parse(await world.ok("inspect", id)) as Record<string, unknown>[];
    expect(inspected).toMatchObject({
      status: "running",
      labels: { colour: "blue", a: "b" },
      stopSignal: "SIGUSR1",
      config: { hostname: id },
    });
    expect(await world.ok("top", id)).toMatch(/100000.*\/srv\/ticker/);
    expect(await world.run(["shell", id], { stdin: "echo from the shell; exit 4\n" })).toMatchObject({
      stdout: "from the shell\n",
      exitCode: 4,
    });
  });

  test("its name is taken", async () => {
    const { stderr, exitCode } = await world.run(["launch", "-d", "--name", id, image]);
    expect({ stderr, exitCode }).toEqual({ stderr: expect.stringContaining("already exists"), exitCode: 1 });
    expect(JSON.parse(await world.ok("state", id))).toMatchObject({ status: "running" });
  });

  test("cp, both ways, never out of its root", async () => {
    mkdirSync(world.at("tree/sub"), { recursive: true });
    writeFileSync(world.at("tree/sub/file"), "content\n", { mode: 0o640 });
    symlinkSync("sub/file", world.at("tree/link"));
    await world.ok("cp", world.at("tree"), `${id}:/tmp`);
    expect(
      await world.ok("exec", id, "sh", "-c", "cat /tmp/tree/link; stat -c %u:%a /tmp/tree/sub/file"),
    ).toBe("content\n0:640\n");
    await world.ok(
      "exec",
      id,
      "sh",
      "-c",
      "ln -s /etc /tmp/out; mkfifo /tmp/tree/fifo; chmod 4755 /tmp/tree/sub/file",
    );
    await world.ok("cp", world.at("tree/sub/file"), `${id}:/tmp/out/planted`);
    expect(await world.ok("exec", id, "cat", "/etc/planted")).toBe("content\n");
    expect(await Bun.file("/etc/planted").exists()).toBe(false);
    const copied = await world.run(["cp", `${id}:/tmp/tree/.`, world.at("back")]);
    expect(copied).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("fifo: left out") });
    expect(readFileSync(world.at("back/link"), "utf8")).toBe("content\n");
    expect(statSync(world.at("back/sub/file"))).toMatchObject({ uid: 0, mode: 0o100755 });
    await world.ok("cp", `${id}:/etc/passwd`, world.at("passwd"));
    expect(readFileSync(world.at("passwd"), "utf8")).toContain("www-data");
    expect((await world.run(["cp", `${id}:/nosuch`, world.at("x")])).stderr).toContain(
      "/nosuch: no such file",
    );
    expect((await world.run(["cp", world.at("tree"), `${id}:/no/such/`])).stderr).toContain("no such file");
    expect((await world.run(["cp", "/a", "/b"])).exitCode).toBe(1);
  });

  test("stop: the image's signal; its exit code; logs stay; rm refuses what runs", async () => {
    expect((await world.run(["rm", id])).stderr).toContain("that is not stopped: running");
    const waiting = world.run(["wait", id]);
    const following = world.run(["logs", "--follow", id]);
    await world.ok("stop", id);
    expect(await waiting).toMatchObject({ stdout: "5\n", exitCode: 0 });
    expect((await following).stdout).toEndWith("told to stop\n");
    expect(JSON.parse(await world.ok("list", "--json"))).toContainEqual(
      expect.objectContaining({ id, status: "stopped", exitCode: 5 }),
    );
    expect(await world.ok("logs", "--tail", "1", id)).toBe("told to stop\n");
    await world.ok("stop", id);
    expect((await world.run(["exec", id, "true"])).exitCode).toBe(1);
  });

  test("stopped: cp, rename, start again", async () => {
    const other = `${id}-renamed`;
    await world.ok("cp", world.at("passwd"), `${id}:/srv/while-stopped`);
    await world.ok("rename", id, other);
    expect((await world.run(["logs", id])).stderr).toContain("does not exist");
    await world.ok("start", other);
    expect((await world.run(["start", other])).stderr).toContain("cannot start");
    expect((await world.run(["rename", other, id])).stderr).toContain("not stopped");
    expect(await world.ok("exec", other, "head", "-n1", "/srv/while-stopped")).toStartWith("root:");
    await world.ok("kill", other, "KILL");
    expect(await world.ok("wait", other)).toBe("137\n");
    expect((await world.run(["rm", "--volumes", other])).exitCode).toBe(0);
    expect(await world.leftovers(id)).toEqual([]);
    expect(await world.ok("list", "-q")).not.toContain(id);
  });

  test("a reboot: the state is gone, the container is stopped and starts again", async () => {
    const rebooted = name("reboot");
    await world.ok("launch", "-d", "--name", rebooted, image);
    await world.ok("exec", rebooted, "touch", "/srv/kept");
    await world.ok("delete", "--force", rebooted);
    await runChecked(["umount", "-l", world.at("data/containers", rebooted, "rootfs")]);
    expect(JSON.parse(await world.ok("list", "--json"))).toContainEqual(
      expect.objectContaining({ id: rebooted, status: "stopped" }),
    );
    await world.ok("start", rebooted);
    await world.ok("exec", rebooted, "ls", "/srv/kept");
    await world.ok("rm", "--force", "--volumes", rebooted);
    expect(await world.leftovers(rebooted)).toEqual([]);
  });
});

describe("where images come from", () => {
  test("a docker archive", async () => {
    await runChecked([
      ...["skopeo", "copy", "--quiet", "--insecure-policy", `oci:${world.at("image")}:latest`],
      `docker-archive:${world.at("image.tar")}:some/name:1`,
    ]);
    const { stdout } = await world.run([
      "launch",
      "--rm",
      `docker-archive:${world.at("image.tar")}`,
      "echo",
      "archived",
    ]);
    expect(stdout).toBe("archived\n");
  });

  test("a registry on loopback", async () => {
    const registry = await startRegistry(world.at("registry"));
    try {
      await pushLayout(world.at("image"), "latest", registry, "team/app:2");
      const { stdout, stderr } = await world.run([
        "launch",
        "--rm",
        `${registry.host}/team/app:2`,
        "echo",
        "pulled",
      ]);
      expect({ stdout, stderr: stderr.includes("proxmox-lxcri") }).toEqual({
        stdout: "pulled\n",
        stderr: false,
      });
      expect((await world.run(["launch", `${registry.host}/team/other:2`])).exitCode).toBe(1);
    } finally {
      await registry.stop();
    }
  });
});

describe("what is wrong is said, and leaves nothing", () => {
  test.each([
    [["nosuch"], "executable file not found"],
    [["/etc/passwd"], "permission denied"],
  ])("command %j", async (command, message) => {
    const id = name("wrong");
    const { stderr, exitCode } = await world.run(["launch", "--name", id, image, ...command]);
    expect({ stderr, exitCode }).toEqual({ stderr: expect.stringContaining(message), exitCode: 1 });
    expect(await world.leftovers(id)).toEqual([]);
  });

  test.each([
    [["--user", "nosuch"], 'user "nosuch"'],
    [["--cap-add", "FLY"], "no such capability"],
    [["--device", "/dev/nosuch"], "/dev/nosuch: no such file"],
    [["--device", "/etc/passwd"], "is not a device"],
    [["-v", "/no/such/path:/x"], "/no/such/path"],
    [["-v", "a b:/x"], "volume name"],
    [["--network", "ns:/no/such"], "/no/such"],
    [["--name", "../up"], "container name"],
    [["--memory", "1k"], ""],
  ])("flags %j", async (flags, message) => {
    const id = name("wrong");
    const named = flags[0] === "--name" ? flags : ["--name", id, ...flags];
    const { stderr, exitCode } = await world.run(["launch", ...named, image]);
    expect({ stderr, exitCode }).toEqual({ stderr: expect.stringContaining(message), exitCode: 1 });
    expect(await world.leftovers(id)).toEqual([]);
  });

  test("an unknown container", async () => {
    for (const command of ["logs", "stop", "rm", "wait", "attach", "inspect", "shell", "top"]) {
      expect(await world.run([command, "nosuch"])).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining("does not exist"),
      });
    }
    expect(await world.run(["rm", "--force", "nosuch"])).toMatchObject({ exitCode: 0, stderr: "" });
  });
});
