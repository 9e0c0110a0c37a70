/** runtime-tools' own validation programs, built from the Go modules that go.sum pins, and their TAP reports. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "../../../src/host/process.ts";
import { inPool } from "../../runner/pool.ts";

const tools = "github.com/opencontainers/runtime-tools";

/** Where the built programs are; or why they could not be built. */
export type Validation =
  | { readonly folder: string; readonly names: readonly string[] }
  | { readonly missing: string };

/** Builds the programs into `folder` (15 s; then Go's cache makes it one). */
export async function buildValidation(folder: string): Promise<Validation> {
  if (Bun.which("go") === null) return { missing: "Go is not installed" };
  const go = async (...args: readonly string[]) => {
    const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false" } as Record<string, string>;
    return run(["go", ...args], { cwd: join(import.meta.dir), env, timeout: 240_000 });
  };
  mkdirSync(folder, { recursive: true });
  const packages = [`${tools}/validation/...`, `${tools}/cmd/runtimetest`];
  const built = await go("build", "-o", `${resolve(folder)}/`, ...packages);
  if (built.exitCode !== 0) return { missing: `go build: ${built.stderr.trim().split("\n").at(-1)}` };
  const module = (await go("list", "-m", "-f", "{{.Dir}}", tools)).stdout.trim();
  const rootfs = readdirSync(module).filter((file) => file.startsWith("rootfs-"));
  for (const file of rootfs) copyFileSync(join(module, file), join(folder, file));
  const names = readdirSync(folder).filter((name) => name !== "runtimetest" && !name.startsWith("rootfs-"));
  return { folder, names: names.sort() };
}

/** What a validation program found out about a runtime. Checks are named by their text, without the number. */
export interface Verdict {
  readonly ok: readonly string[];
  readonly notOk: readonly string[];
  /** 137: no end within the limit. */
  readonly exitCode: number;
  readonly stderr: string;
}

/** One program's verdicts on us and on runc. */
export interface Comparison {
  readonly name: string;
  readonly ours: Verdict;
  readonly runc: Verdict;
}

/** The id of a bundle or container differs from run to run. */
const checkName = (line: string): string =>
  line.replace(/^(not )?ok \d+ (- )?/, "").replaceAll(/[0-9a-f-]{36}|\/(target|mount|example)\d+/g, "*");

/**
 * Runs one validation program with `runtime`, at most 60 s long, in a mount namespace and folders of its own: runc,
 * asked for a container without a mount namespace, leaves mounts in its caller's.
 */
export async function validate(folder: string, name: string, runtime: string): Promise<Verdict> {
  const own = mkdtempSync(join(tmpdir(), "lxcri-validate-"));
  const root = join(own, "state");
  const wrapper = join(own, "runtime");
  // The root of a container in a user namespace has to pass.
  chmodSync(own, 0o711);
  writeFileSync(wrapper, `#!/bin/sh\nexec '${runtime}' --root '${root}' "$@"\n`, { mode: 0o755 });
  const env = { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", RUNTIME: wrapper, TMPDIR: own };
  const limited = ["timeout", "--signal=KILL", "60", join(folder, name)];
  try {
    const result = await run(["unshare", "--mount", "--propagation", "slave", ...limited], {
      cwd: folder,
      env,
      timeout: 70_000,
    });
    const lines = result.stdout.split("\n");
    return {
      ok: lines.filter((line) => /^ok \d+/.test(line) && !line.includes("# SKIP")).map(checkName),
      notOk: lines.filter((line) => line.startsWith("not ok ")).map(checkName),
      exitCode: result.exitCode,
      stderr: result.stderr,
    };
  } finally {
    await removeContainers(runtime, root);
    rmSync(own, { recursive: true, force: true });
  }
}

/** A program that fails or is ended leaves its containers. */
async function removeContainers(runtime: string, root: string): Promise<void> {
  const { stdout, exitCode } = await run([runtime, "--root", root, "list", "--quiet"]);
  for (const id of exitCode === 0 ? stdout.split("\n").filter(Boolean) : []) {
    await run([runtime, "--root", root, "delete", "--force", id]);
  }
}

/** Groups that the programs name, and neither they nor a runtime remove. */
async function removeGroups(): Promise<void> {
  const { stdout } = await run(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", "*/testdir*"]);
  const { stdout: others } = await run([
    "find",
    "/sys/fs/cgroup",
    "-depth",
    "-type",
    "d",
    "-name",
    "cgrouptest",
  ]);
  await run(["rmdir", "--", ...new Set(`${stdout}${others}`.split("\n").filter(Boolean))]);
}

/** Programs that use groups or containers of a fixed name. */
const isAlone = (name: string): boolean => name.startsWith("linux_cgroups_") || name.startsWith("delete_");

/** Runs all programs against `runtime` and against runc. */
export async function compare(
  { folder, names }: Exclude<Validation, { missing: string }>,
  runtime: string,
): Promise<readonly Comparison[]> {
  const one = async (name: string): Promise<Comparison> => ({
    name,
    ours: await validate(folder, name, runtime),
    runc: await validate(folder, name, "runc"),
  });
  try {
    return [
      ...(await inPool(
        names.filter((name) => !isAlone(name)),
        4,
        one,
      )),
      ...(await inPool(names.filter(isAlone), 1, one)),
    ];
  } finally {
    await removeGroups();
  }
}

/** Checks that runc passes and we fail, or do not come to. */
export function losses({ ours, runc }: Comparison): readonly string[] {
  const left = [...ours.ok];
  return runc.ok.filter((check) => {
    const at = left.indexOf(check);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
