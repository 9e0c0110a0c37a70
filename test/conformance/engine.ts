/** What the tests of container engines share: an image archive, programs run to their end, a terminal. */
import { join } from "node:path";
import { type RunResult, run, runChecked } from "../../src/host/process.ts";
import { buildBusyboxImage } from "../images/build.ts";

/** A shell program that ends with 143 on SIGTERM, as a service does; prints `ready` when it will. */
export const untilTerminated = "trap 'exit 143' TERM; echo ready; while :; do sleep 0.05; done";

/** ms for one command of an engine: less than a test's own limit, at which Bun would end the engine's daemon too. */
export const engineTimeout = 20_000;

/** Builds a busybox image as an OCI archive, named `name` in it; returns the archive's path. */
export async function busyboxArchive(folder: string, name: string): Promise<string> {
  const archive = join(folder, "image.tar");
  const { dir, tag } = buildBusyboxImage(join(folder, "layout"));
  await runChecked(["skopeo", "copy", "--quiet", `oci:${dir}:${tag}`, `oci-archive:${archive}:${name}`]);
  return archive;
}

/** Runs a command under a terminal of its own; its output is in stdout. */
export const runOnTerminal = (argv: readonly string[], env: Record<string, string>): Promise<RunResult> =>
  run(["script", "--quiet", "--return", "--command", argv.map(quote).join(" "), "/dev/null"], {
    env,
    timeout: engineTimeout,
  });

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Waits until `done` holds, 60 s at most: a machine under emulation is slow. */
export async function eventually(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 60 s`);
    await Bun.sleep(20);
  }
}

/** Mount points and control groups whose path names `text`: what an engine may leave behind. */
export async function leftovers(text: string): Promise<readonly string[]> {
  const mounts = (await Bun.file("/proc/self/mountinfo").text())
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.includes(text));
  const groups = await run(["find", "/sys/fs/cgroup", "-type", "d", "-name", `*${text}*`]);
  return [...mounts, ...groups.stdout.split("\n").filter(Boolean)];
}
