import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { runCommand } from "./command.fixture.ts";

const folder = mkdtempSync(`${tmpdir()}/lxcri-commands-`);
const root = `${folder}/root`;
const bundle = `${folder}/bundle`;
const program = [process.execPath, `${import.meta.dir}/../main.ts`, "--root", root];
const on = (...argv: string[]) => runCommand(["--root", root, ...argv]);

beforeAll(async () => {
  for (const name of ["bin", "dev"]) mkdirSync(`${bundle}/rootfs/${name}`, { recursive: true });
  copyFileSync("/bin/busybox", `${bundle}/rootfs/bin/busybox`);
  for (const name of ["sh", "sleep", "cat"]) symlinkSync("busybox", `${bundle}/rootfs/bin/${name}`);
  expect(await runCommand(["spec", "--bundle", bundle])).toMatchObject({ code: 0, stderr: "" });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The bundle runs this, without a terminal. */
function give(args: readonly string[]): void {
  const path = `${bundle}/config.json`;
  const config = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...config, process: { ...config.process, terminal: false, args } }));
}

/** One command line in a process of its own, as those need that end as the C program. */
async function spawn(...argv: string[]) {
  const child = Bun.spawn([...program, ...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

describe("a container's life by commands", () => {
  test("create, start, exec, kill, delete", async () => {
    give(["sleep", "1000"]);
    const pidFile = `${folder}/pid`;
    try {
      expect(await on("create", "--bundle", bundle, "--pid-file", pidFile, "one")).toMatchObject({
        code: 0,
        stderr: "",
      });
      const created = JSON.parse((await on("state", "one")).stdout);
      expect(created).toMatchObject({ status: "created", pid: Number(readFileSync(pidFile, "utf8")) });
      expect((await on("create", "--bundle", bundle, "one")).stderr).toContain("already exists");
      expect(await on("start", "one")).toMatchObject({ code: 0, stderr: "" });
      expect(JSON.parse((await on("state", "one")).stdout).status).toBe("running");
      expect((await on("start", "one")).stderr).toContain("its status is running");
      expect(
        await spawn("exec", "-e", "A=b", "--cwd", "/bin", "one", "sh", "-c", "echo $A $PWD; exit 5"),
      ).toEqual({
        code: 5,
        stdout: "b /bin\n",
        stderr: "",
      });
      expect(await on("kill", "one", "KILL")).toMatchObject({ code: 0, stderr: "" });
    } finally {
      expect(await on("delete", "--force", "one")).toMatchObject({ code: 0, stderr: "" });
    }
    expect(existsSync(`/proc/${readFileSync(pidFile, "utf8")}/root`)).toBe(false);
    expect((await on("start", "one")).stderr).toContain("does not exist");
  });

  test("run gives the program's output and exit code", async () => {
    give(["sh", "-c", "echo hello; exit 7"]);
    try {
      const ended = await spawn("run", "--keep", "--bundle", bundle, "two");
      expect(ended).toEqual({ code: 7, stdout: "hello\n", stderr: "" });
      expect(JSON.parse((await on("state", "two")).stdout).status).toBe("stopped");
    } finally {
      await on("delete", "--force", "two");
    }
  });

  test("run --detach leaves it running", async () => {
    give(["sleep", "1000"]);
    try {
      // The container keeps our standard streams: nobody may wait for their end.
      const child = Bun.spawn([...program, "run", "--detach", "--bundle", bundle, "three"], {
        stdio: ["ignore", "ignore", "ignore"],
      });
      expect(await child.exited).toBe(0);
      expect(JSON.parse((await on("state", "three")).stdout).status).toBe("running");
    } finally {
      await on("delete", "--force", "three");
    }
    expect((await on("list", "-q")).stdout).toBe("");
  });
});
