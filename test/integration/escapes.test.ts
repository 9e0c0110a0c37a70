/** What hostile images, configs and containers try on the host: each attempt fails, or stays in the container. */
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { call, mkfifo } from "../../src/host/libc.ts";
import type { Config, Mount } from "../../src/spec/config.ts";
import { runtimeUnderTest } from "../conformance/runtime-under-test.ts";
import { type Outcome, Playground } from "./faults/playground.fixture.ts";

/** A playground with a folder of the host that nothing may come to: `host/secret` holds "the host's". */
class Target extends Playground {
  readonly host = `${this.folder}/host`;

  constructor() {
    super();
    mkdirSync(this.host);
    writeFileSync(`${this.host}/secret`, "the host's");
  }

  /** Fails where anything in the host's folder has changed. */
  expectUntouched(): void {
    expect(readdirSync(this.host)).toEqual(["secret"]);
    expect(readFileSync(`${this.host}/secret`, "utf8")).toBe("the host's");
  }

  /** Runs `script` in a container of the config so far, changed by `change`. */
  async run(script: string, change: (config: Config) => unknown = () => {}): Promise<Outcome> {
    this.configure((config) => {
      Object.assign(config.process, { args: ["sh", "-c", script] });
      change(config);
    });
    const result = await this.runtime("run", this.id("one"));
    expect(await this.settled()).toEqual([]);
    return result;
  }
}

const mounting =
  (...mounts: readonly Mount[]) =>
  (config: Config): unknown =>
    Object.assign(config, { mounts: [...(config.mounts ?? []), ...mounts] });
const tmpfs = (destination: string): Mount => ({ destination, type: "tmpfs", source: "tmpfs" });

/** Replaces a path of the root file system by a link. */
function relink(path: string, target: string): void {
  rmSync(path, { recursive: true, force: true });
  symlinkSync(target, path);
}

describe("the runtime's own programs (CVE-2019-5736)", () => {
  const programs = ["", "-engine", "-native"].map((part) => `${runtimeUnderTest}${part}`);
  const seen = (): readonly object[] =>
    programs.map((path) => {
      const { ino, size, ctimeMs } = statSync(path);
      return { ino, size, ctimeMs };
    });

  test("cannot be written by who makes them its interpreter, or looks for them in /proc", async () => {
    await using made = new Target();
    const before = seen();
    relink(`${made.rootfs}/bin/self`, "/proc/self/exe");
    writeFileSync(`${made.rootfs}/bin/script`, "#!/proc/self/exe\n", { mode: 0o755 });
    const grab =
      'while :; do for p in /proc/[0-9]*; do [ "$p" = /proc/1 ] || { true >>"$p/exe"; } 2>/dev/null && echo "$p $(readlink "$p/exe")" >>/tmp/got; done; done';
    made.configure((config) => {
      Object.assign(config.process, { args: ["sh", "-c", grab] });
      Object.assign(config, { root: { path: "rootfs", readonly: false } });
    });
    await made.ok("run", "--detach", made.id("one"));
    for (let i = 0; i < 10; i += 1) {
      for (const program of ["/bin/self", "/bin/script", "/bin/true"]) {
        const { code, stderr } = await made.runtime("exec", made.id("one"), program);
        expect({ program, failed: code !== 0, stderr }).toMatchObject({
          program,
          failed: program !== "/bin/true",
        });
      }
    }
    const got = existsSync(`${made.rootfs}/tmp/got`) ? readFileSync(`${made.rootfs}/tmp/got`, "utf8") : "";
    expect(got.split("\n").filter((line) => line !== "" && !line.includes("/proc/1 "))).toEqual([]);
    await made.ok("delete", "--force", made.id("one"));
    for (const program of ["/bin/self", "/bin/script"]) {
      made.configure((config) => Object.assign(config.process, { args: [program] }));
      expect((await made.runtime("run", made.id("two"))).code).not.toBe(0);
    }
    expect(seen()).toEqual(before);
    expect(await made.settled()).toEqual([]);
  });
});

describe("a working directory that is an open descriptor (CVE-2024-21626)", () => {
  const numbers = Array.from({ length: 12 }, (_, i) => i + 3).concat(
    98,
    99,
    100,
    101,
    102,
    103,
    104,
    105,
    106,
    200,
    201,
  );
  const look = (made: Target): string =>
    `for up in . .. ../.. ../../.. ../../../.. ../../../../../..; do cat "$up/secret" "$up/host/secret" "$up${made.host}/secret"; done 2>/dev/null; true`;

  test("of run", async () => {
    await using made = new Target();
    for (const number of numbers) {
      const { stdout } = await made.run(look(made), (config) =>
        Object.assign(config.process, { cwd: `/proc/self/fd/${number}` }),
      );
      expect(stdout).toBe("");
    }
  });

  test("of exec, also through a link of the image", async () => {
    await using made = new Target();
    made.configure(() => {});
    const id = made.id("one");
    await made.ok("run", "--detach", id);
    for (const number of numbers) {
      relink(`${made.rootfs}/way`, `/proc/self/fd/${number}`);
      for (const cwd of [`/proc/self/fd/${number}`, "/way"]) {
        const { stdout } = await made.runtime("exec", "--cwd", cwd, id, "sh", "-c", look(made));
        expect(stdout).toBe("");
      }
    }
    await made.ok("delete", "--force", id);
    expect(await made.settled()).toEqual([]);
  });
});

describe("where mounts go", () => {
  test("links and .. lead nowhere but into the container", async () => {
    await using made = new Target();
    const up = "../".repeat(30);
    relink(`${made.rootfs}/absolute`, made.host);
    relink(`${made.rootfs}/relative`, `${up}${made.host}`);
    symlinkSync("/proc/self/root", `${made.rootfs}/magic`);
    for (const destination of [
      "/absolute",
      "/absolute/made",
      "/relative/made",
      `/tmp/${up}${made.host}/made`,
      `/x/${up}made`,
    ]) {
      const { code, stderr } = await made.run("true", mounting(tmpfs(destination)));
      expect({ destination, code, stderr }).toEqual({ destination, code: 0, stderr: "" });
      made.expectUntouched();
    }
    // A magic link does not obey the root.
    expect((await made.run("true", mounting(tmpfs(`/magic${made.host}/made`)))).code).toBe(1);
    made.expectUntouched();
  });

  test("a link that comes and goes meanwhile", async () => {
    await using made = new Target();
    const place = `${made.rootfs}/place`;
    mkdirSync(place);
    symlinkSync(made.host, `${made.rootfs}/link`);
    made.configure(mounting(tmpfs("/place/a/b"), tmpfs("/place/c")));
    let swapping = true;
    const swaps = (async () => {
      const exchange = 2;
      for (; swapping; await Bun.sleep(0)) {
        call("renameat2", [0, place, 0, `${made.rootfs}/link`, exchange], place);
      }
    })();
    for (let i = 0; i < 30; i += 1) {
      await made.runtime("create", made.id("one"));
      await made.ok("delete", "--force", made.id("one"));
    }
    swapping = false;
    await swaps;
    made.expectUntouched();
    expect(await made.settled()).toEqual([]);
  });

  test("nothing comes over parts of proc, and proc not over a link", async () => {
    await using made = new Target();
    relink(`${made.rootfs}/stat`, "/proc/self/attr/exec");
    writeFileSync(`${made.bundle}/file`, "false data");
    const file = { type: "bind", source: "file", options: ["bind"] };
    for (const destination of [
      "/proc/self/attr/exec",
      "/proc/sys/kernel/core_pattern",
      "/stat",
      "/proc/self/stat",
      "/proc/1/io",
    ]) {
      const { code, stderr } = await made.run("true", mounting({ ...file, destination }));
      expect({ destination, code }).toEqual({ destination, code: 1 });
      expect(stderr).toContain("inside proc");
    }
    for (const destination of ["/proc/stat", "/proc/meminfo", "/proc/pressure/io"]) {
      expect(await made.run(`cat ${destination}`, mounting({ ...file, destination }))).toMatchObject({
        code: 0,
        stdout: "false data",
      });
    }
    relink(`${made.rootfs}/proc`, "tmp");
    const { code, stderr } = await made.run("true");
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("/proc") });
  });
});

test("masked and read-only paths are followed inside the container only", async () => {
  await using made = new Target();
  relink(`${made.rootfs}/out`, `${made.host}/secret`);
  writeFileSync(`${made.rootfs}/etc/inner`, "inner");
  relink(`${made.rootfs}/in`, "/etc/inner");
  const { stdout } = await made.run("cat /etc/inner; echo; : >/proc/sysrq-trigger", (config) =>
    Object.assign(config.linux ?? {}, {
      maskedPaths: ["/out", "/in"],
      readonlyPaths: ["/out", "/proc/sysrq-trigger"],
    }),
  );
  expect(stdout).toBe("\n");
  made.expectUntouched();
});

describe("devices of a hostile image", () => {
  const withoutDev = (config: Config): unknown =>
    Object.assign(config, {
      root: { path: "rootfs" },
      mounts: config.mounts?.filter(
        ({ destination }) => !destination.startsWith("/dev") || destination === "/dev/pts",
      ),
    });

  test("a link in a device's place is neither followed nor given away", async () => {
    await using made = new Target();
    relink(`${made.rootfs}/dev/null`, `${made.host}/secret`);
    const { code } = await made.run("true", withoutDev);
    expect(code).toBe(1);
    made.expectUntouched();
    expect(statSync(`${made.host}/secret`).mode & 0o777).toBe(0o644);
  });

  test("/dev that leads out stays in", async () => {
    await using made = new Target();
    relink(`${made.rootfs}/dev`, made.host);
    await made.run("true");
    await made.run("true", withoutDev);
    made.expectUntouched();
  });

  test("what only has the name of a terminal multiplexer is none", async () => {
    await using made = new Target();
    mkdirSync(`${made.rootfs}/dev/pts`);
    const ptmx = `${made.rootfs}/dev/pts/ptmx`;
    for (const disguise of [
      () => mkfifo(ptmx, 0o666),
      () => writeFileSync(ptmx, ""),
      () => symlinkSync(made.host, ptmx),
    ]) {
      rmSync(ptmx, { force: true });
      disguise();
      const { code, stderr } = await made.run("true", (config) => {
        withoutDev(config);
        Object.assign(config, {
          mounts: config.mounts?.filter(({ destination }) => destination !== "/dev/pts"),
        });
        return Object.assign(config.process, { terminal: true });
      });
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("/dev/ptmx") });
      made.expectUntouched();
    }
  });

  test("/dev/console that leads out or into proc", async () => {
    await using made = new Target();
    const terminal = (config: Config): unknown => {
      withoutDev(config);
      return Object.assign(config.process, { terminal: true });
    };
    mkdirSync(`${made.rootfs}/dev/pts`, { recursive: true });
    relink(`${made.rootfs}/dev/console`, `${made.host}/secret`);
    await made.run("echo x >/dev/console", terminal);
    made.expectUntouched();
    relink(`${made.rootfs}/dev/console`, "/proc/self/attr/exec");
    expect((await made.run("true", terminal)).stderr).toContain("/dev/console");
  });
});

test("exec among hostile files ends, and says what is wrong", async () => {
  await using made = new Target();
  made.configure((config) => Object.assign(config, { root: { path: "rootfs" } }));
  const id = made.id("one");
  await made.ok("run", "--detach", id);
  mkfifo(`${made.rootfs}/etc/passwd`, 0o644);
  mkfifo(`${made.rootfs}/etc/group`, 0o644);
  mkdirSync(`${made.rootfs}/bin/folder`);
  mkfifo(`${made.rootfs}/bin/fifo`, 0o755);
  relink(`${made.rootfs}/bin/loop`, "loop");
  relink(`${made.rootfs}/bin/out`, `${made.host}/secret`);
  for (const [program, why] of [
    ["folder", /permission denied/],
    ["/bin/folder", /permission denied/],
    ["fifo", /permission denied/],
    ["loop", /executable file not found|too many levels/i],
    ["/bin/out", /no such file or directory/],
  ] as const) {
    const { code, stderr } = await made.runtime("exec", id, program);
    expect({ program, failed: code !== 0, stderr }).toMatchObject({
      program,
      failed: true,
      stderr: expect.stringMatching(why),
    });
  }
  expect(await made.ok("exec", "--env", "HOME=", id, "sh", "-c", "echo $HOME")).toBe("/\n");
  await made.ok("delete", "--force", id);
  made.expectUntouched();
  expect(await made.settled()).toEqual([]);
});
