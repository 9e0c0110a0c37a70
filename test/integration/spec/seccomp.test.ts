/** runtime-spec config-linux.md, "Seccomp": each action, arguments, and the agent of a listener. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SeccompRule } from "../../../src/spec/config.ts";
import { TestBundle } from "./bundle.ts";

describe("seccomp", () => {
  const rule = (action: SeccompRule["action"], more: Partial<SeccompRule> = {}): SeccompRule => ({
    names: ["mkdir", "mkdirat"],
    action,
    ...more,
  });
  const profile = (...syscalls: readonly SeccompRule[]) => ({
    seccomp: { defaultAction: "SCMP_ACT_ALLOW" as const, syscalls },
  });

  test("ERRNO with its number, ALLOW, LOG", async () => {
    await using bundle = await TestBundle.make();
    const script = "mkdir /made 2>&1 && echo made; true";
    expect(
      await bundle.output({ script, linux: profile(rule("SCMP_ACT_ERRNO", { errnoRet: 28 })) }),
    ).toContain("No space left on device");
    expect(await bundle.output({ script, linux: profile(rule("SCMP_ACT_LOG")) })).toBe("made");
  });

  test.each(["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"] as const)(
    "%s ends the program",
    async (action) => {
      await using bundle = await TestBundle.make();
      const script = "mkdir /made; echo status $?";
      expect(await bundle.output({ script, linux: profile(rule(action)) })).toContain("status 159");
      expect(existsSync(join(bundle.rootfs, "made"))).toBe(false);
    },
  );

  test("TRACE without a tracer is ENOSYS", async () => {
    await using bundle = await TestBundle.make();
    const said = await bundle.output({
      script: "mkdir /made 2>&1; true",
      linux: profile(rule("SCMP_ACT_TRACE")),
    });
    expect(said).toContain("Function not implemented");
  });

  test("arguments choose", async () => {
    await using bundle = await TestBundle.make();
    const args = [{ index: 1, value: 10n, op: "SCMP_CMP_EQ" as const }];
    bundle.configure({ script: "kill -0 $$ && echo may; kill -USR1 $$ 2>&1; echo alive" });
    const config = bundle.config();
    const seccomp = profile({ names: ["kill"], action: "SCMP_ACT_ERRNO", args }).seccomp;
    const text = JSON.stringify({ ...config, linux: { ...config.linux, seccomp } }, (_, value) =>
      typeof value === "bigint" ? Number(value) : value,
    );
    bundle.write(text);
    const said = await bundle.ok("run", "--bundle", bundle.path, bundle.id);
    expect(said).toMatch(/^may\n.*Operation not permitted\nalive\n$/);
  });

  test("NOTIFY: an agent decides; it gets the container's state with the listener", async () => {
    await using bundle = await TestBundle.make();
    const socket = join(bundle.folder, "agent.sock");
    const agent = Bun.spawn(["python3", "-c", notifyAgent, socket], {
      stdout: "pipe",
      stderr: "inherit",
      stdin: "ignore",
    });
    try {
      for (let i = 0; i < 300 && !existsSync(socket); i += 1) await Bun.sleep(10);
      const { seccomp } = profile(rule("SCMP_ACT_NOTIFY"));
      const listener = { listenerPath: socket, listenerMetadata: "meta data" };
      const said = await bundle.output({
        script: "mkdir /made 2>&1; true",
        linux: { seccomp: { ...seccomp, ...listener } },
      });
      expect(said).toContain("Device or resource busy");
      const document = JSON.parse(await new Response(agent.stdout).text());
      expect(document).toMatchObject({
        ociVersion: "1.3.0",
        fds: ["seccompFd"],
        metadata: "meta data",
        state: { id: bundle.id, status: "creating", bundle: bundle.path },
      });
      expect(document.pid).toBe(document.state.pid);
    } finally {
      agent.kill("SIGKILL");
      await agent.exited;
    }
  });

  /** Answers each notification with EBUSY; prints the document that came with the listener. */
  const notifyAgent = `
import array, fcntl, os, socket, struct, sys, select
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(1); server.settimeout(20)
peer, _ = server.accept()
data, control, _, _ = peer.recvmsg(65536, socket.CMSG_SPACE(4))
fd = array.array("i", control[0][2])[0]
os.write(1, data); os.close(1)
while select.select([fd], [], [], 20)[0]:
    note = bytearray(80)
    try:
        fcntl.ioctl(fd, 0xc0502100, note)
        fcntl.ioctl(fd, 0xc0182101, bytearray(note[:8] + struct.pack("qiI", 0, -16, 0)))
    except OSError:
        break
`;
});
