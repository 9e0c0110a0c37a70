/** AppArmor profiles, enforced: on the program and on processes that join it, not on what sets them up. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Process } from "../../src/spec/config.ts";
import { leftovers } from "../conformance/engine.ts";
import { type BundleChange, unprivileged, VmContainers } from "./containers.fixture.ts";

const containers = new VmContainers();
const own = "lxcri-vm-profile";
const profile = (name: string, ...rules: readonly string[]): string =>
  `profile ${name} flags=(attach_disconnected,mediate_deleted) {\n${rules.map((r) => `  ${r},\n`).join("")}}\n`;
const all = ["file", "capability", "network", "signal", "ptrace", "mount", "umount", "unix"];
const text = profile(own, ...all, "deny /etc/secret rwklx") + profile("lxcri-vm-other", ...all);
const parser = (flag: string): number =>
  Bun.spawnSync(["apparmor_parser", flag], { stdin: Buffer.from(text), stderr: "inherit" }).exitCode;

beforeAll(() => expect(parser("--replace")).toBe(0));
afterAll(async () => {
  await containers.dispose();
  expect(parser("--remove")).toBe(0);
});

const script = "cat /proc/self/attr/current; cat /etc/secret; id -u";
const withSecret = (process: Partial<Process>) => ({
  process,
  files: { "etc/secret": "the secret\n" },
});
const confined = (user = 0) => ({
  stdout: `${own} (enforce)\n${user}\n`,
  stderr: "cat: can't open '/etc/secret': Permission denied\n",
  exitCode: 0,
});

test("LXC's own profile, with which nothing could be mounted any more", async () => {
  const apparmorProfile = "lxc-container-default-cgns";
  const result = await containers.foreground("lxcri-aa-lxc", ["/bin/cat", "/proc/self/attr/current"], {
    process: { apparmorProfile },
  });
  expect(result).toEqual({ stdout: `${apparmorProfile} (enforce)\n`, stderr: "", exitCode: 0 });
});

test("without a profile nothing is denied", async () => {
  const id = "lxcri-aa-none";
  const { stdout } = await containers.foreground(id, ["/bin/sh", "-c", script], withSecret({}));
  expect(stdout).toBe("unconfined\nthe secret\n0\n");
});

test.each([
  ["", 0, false],
  ["with noNewPrivileges", 0, true],
  ["as another user", 1000, false],
  ["as another user with noNewPrivileges", 1000, true],
])("what a profile denies is denied %s", async (_, uid, noNewPrivileges) => {
  const user = { uid, gid: uid };
  const change = withSecret({ apparmorProfile: own, noNewPrivileges, user });
  const id = `lxcri-aa-${uid}-${noNewPrivileges}`;
  expect(await containers.foreground(id, ["/bin/sh", "-c", script], change)).toEqual(confined(uid));
});

test("in a user namespace, and after a startContainer hook", async () => {
  const hook = '#!/bin/sh\n[ "$(cat /etc/hooked)" = yes ]\n';
  const { files, process } = withSecret({ apparmorProfile: own });
  const change: BundleChange = {
    ...unprivileged,
    process,
    files: { ...files, "etc/hook": hook, "etc/hooked": "yes" },
    hooks: { startContainer: [{ path: "/etc/hook" }] },
  };
  expect(await containers.foreground("lxcri-aa-user", ["/bin/sh", "-c", script], change)).toEqual(confined());
});

test("exec gets init's profile, or the one that it is given", async () => {
  const id = "lxcri-aa-exec";
  await containers.start(id, ["/bin/sleep", "1000"], withSecret({ apparmorProfile: own }));
  expect(await containers.run("exec", id, "/bin/sh", "-c", script)).toEqual(confined());
  const other = await containers.run("exec", "--apparmor", "lxcri-vm-other", id, "/bin/sh", "-c", script);
  expect(other.stdout).toBe("lxcri-vm-other (enforce)\nthe secret\n0\n");

  const file = `${containers.folder}/process.json`;
  await Bun.write(
    file,
    JSON.stringify({
      user: { uid: 0, gid: 0 },
      args: ["/bin/sh", "-c", script],
      env: ["PATH=/bin"],
      cwd: "/",
    }),
  );
  expect(await containers.run("exec", "--process", file, id)).toEqual(confined());

  const missing = await containers.run("exec", "--apparmor", "no-such-profile", id, "/bin/true");
  expect(missing.exitCode).not.toBe(0);
  expect(missing.stderr).toContain("no-such-profile");
  expect(await containers.remove(id)).toEqual([]);
});

test("a profile that is not loaded is refused by name", async () => {
  const id = "lxcri-aa-missing";
  const result = await containers.foreground(id, ["/bin/true"], {
    process: { apparmorProfile: "no-such-profile" },
  });
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain("no-such-profile");
  expect(await leftovers(id)).toEqual([]);
});
