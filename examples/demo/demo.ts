/**
 * `npm run demo`: the main job from beginning to end. Builds a small image, serves it from a registry on loopback,
 * launches it, looks at it from inside and outside, kills it, and shows that nothing is left.
 */
import { run } from "../../src/host/process.ts";
import { buildBusyboxImage } from "../../test/images/build.ts";
import { pushLayout, startRegistry } from "../../test/images/registry.ts";
import { LaunchWorld } from "../../test/integration/launch.fixture.ts";

/** A root and a data root of the demo's own, below a folder that goes at the end. */
const world = new LaunchWorld();
const name = `demo-${process.pid}`;

const show = (text: string): void => {
  if (text === "") return;
  for (const line of text.trimEnd().split("\n")) console.log(`    ${line}`);
};

/** Says what the next lines show. */
function step(meaning: string): void {
  console.log(`\n${meaning}`);
}

/** Runs our command, shows the command line and what it printed; returns its standard output. */
async function lxcri(args: readonly string[], expected = 0): Promise<string> {
  const words = args.map((word) => (/[^\w@%+=:,./-]/.test(word) ? `'${word}'` : word));
  console.log(`  $ proxmox-lxcri ${words.join(" ")}`);
  const { stdout, stderr, exitCode } = await world.run(args);
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
console.log(
  `All of this is below ${world.folder} (--root and --data-root, not shown), which goes at the end.`,
);
const registry = await startRegistry(world.at("registry"));
try {
  step(
    "An image of two layers, busybox and one script, built without any tool and pushed to a local registry",
  );
  const image = buildBusyboxImage(world.at("image"), {
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
  await lxcri(["stats", "--no-stream", name]);

  step("Files in and out, without leaving the container's root");
  await lxcri(["cp", `${name}:/etc/passwd`, world.at("passwd")]);
  await lxcri(["cp", world.at("passwd"), `${name}:/tmp`]);
  await lxcri(["exec", name, "wc", "-l", "/tmp/passwd"]);

  step("Killed: the exit code tells by which signal (128 + 9), and it is removed");
  await lxcri(["kill", name, "KILL"]);
  await lxcri(["wait", name]);
  await lxcri(["rm", name]);

  step("In the foreground it is like a program: standard streams and the exit code are ours");
  await lxcri(["launch", "--rm", "--name", name, reference, "sh", "-c", "echo goodbye; exit 7"], 7);

  step("Nothing is left: no process, no mount, no control group, no record");
  const left = await world.leftovers(name);
  const alive = (await run(["ps", "-o", "pid=", "-p", String(pid)])).stdout.trim() !== "";
  if (left.length > 0 || alive)
    throw new Error(`left behind: ${[...left, alive ? `pid ${pid}` : ""].join(" ")}`);
  show("nothing");
} finally {
  await world.dispose();
  await registry.stop();
}
console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
