/**
 * `npm run demo`: the main job from beginning to end. Builds a small image, serves it from a registry on loopback,
 * launches it, looks at it from inside and outside, kills it, and shows that nothing is left.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../src/host/process.ts";
import { leftovers } from "../../test/conformance/engine.ts";
import { buildBusyboxImage } from "../../test/images/build.ts";
import { pushLayout, startRegistry } from "../../test/images/registry.ts";

const program = resolve(import.meta.dir, "../../dist/proxmox-lxcri");
const folder = mkdtempSync("/var/tmp/lxcri-demo-");
const name = `demo-${process.pid}`;

const show = (text: string): void => {
  for (const line of text.trimEnd().split("\n")) console.log(`    ${line}`);
};

/** Says what the next lines show. */
function step(meaning: string): void {
  console.log(`\n${meaning}`);
}

/** Runs our command, shows the command line and what it printed; returns its standard output. */
async function lxcri(args: readonly string[], expected = 0): Promise<string> {
  console.log(`  $ proxmox-lxcri ${args.join(" ")}`);
  const { stdout, stderr, exitCode } = await run([program, ...args]);
  show(stdout + stderr);
  if (exitCode !== expected) throw new Error(`proxmox-lxcri ${args[0]} ended with status ${exitCode}`);
  return stdout;
}

const ticker = `#!/bin/sh
trap 'echo "told to stop"; exit 0' TERM
echo "hello from $(hostname), process $$, user $(id -u)"
while :; do sleep 1; done
`;

const started = performance.now();
const registry = await startRegistry(join(folder, "registry"));
try {
  step(
    "An image of two layers, busybox and one script, built without any tool and pushed to a local registry",
  );
  const image = buildBusyboxImage(join(folder, "image"), {
    config: { Cmd: ["/srv/ticker"] },
    extraFiles: { "srv/ticker": ticker },
  });
  await pushLayout(image.dir, image.tag, registry, "demo:1");
  const reference = `${registry.host}/demo:1`;
  show(`${reference} ${image.manifestDigest}`);

  step("Pulled and launched as an unprivileged LXC container with limits; it goes on without us");
  const limits = ["--memory", "64m", "--cpus", "0.5", "--pids", "32", "--network", "none"];
  await lxcri(["launch", "--detach", "--name", name, "--hostname", "demo", ...limits, reference]);

  step("Its first process, seen from inside: pid 1, root of its own user namespace only");
  await lxcri(["exec", name, "sh", "-c", "ps; grep . /proc/self/uid_map; grep Seccomp: /proc/1/status"]);

  step("What it printed, kept by conmon");
  await lxcri(["logs", name]);

  step("Its state, as OCI callers read it, and in the list");
  const { pid } = JSON.parse(await lxcri(["state", name])) as { pid: number };
  await lxcri(["list"]);

  step("The same process seen from the host: an unprivileged user, in a group with the limits asked for");
  show((await run(["ps", "-o", "pid,uid,comm", "-p", String(pid)])).stdout);
  await lxcri(["stats", "--json", name]);

  step("Killed: the exit code tells by which signal (128 + 9), and it is removed");
  await lxcri(["kill", name, "KILL"]);
  await lxcri(["wait", name]);
  await lxcri(["rm", name]);

  step("Nothing is left: no process, no mount, no control group");
  const left = await leftovers(name);
  const alive = (await run(["ps", "-o", "pid=", "-p", String(pid)])).stdout.trim() !== "";
  if (left.length > 0 || alive)
    throw new Error(`left behind: ${[...left, alive ? `pid ${pid}` : ""].join(" ")}`);
  show("nothing");
} finally {
  await run([program, "rm", "--force", name]);
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
