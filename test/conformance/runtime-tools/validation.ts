/** runtime-tools' own validation programs, built from the Go modules that go.sum pins, and their TAP reports. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../../src/host/process.ts";

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

/** What a validation program found out about a runtime. */
export interface Verdict {
  readonly ok: number;
  readonly notOk: readonly string[];
  /** 124: no end within the limit. */
  readonly exitCode: number;
  readonly stderr: string;
}

/**
 * Runs one validation program with `runtime`, at most 60 s long. Some leave mounts behind in the mount namespace
 * that they run in, whatever the runtime, and their bundles: both are its own and go with it.
 */
export async function validate(folder: string, name: string, runtime: string): Promise<Verdict> {
  const scratch = mkdtempSync("/var/tmp/lxcri-validation-");
  const env = {
    PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    TMPDIR: scratch,
    RUNTIME: runtime,
  };
  const command = ["timeout", "--kill-after=2", "60", "unshare", "--mount", join(folder, name)];
  try {
    const result = await run(command, { cwd: folder, env, timeout: 70_000 });
    const lines = result.stdout.split("\n");
    return {
      ok: lines.filter((line) => /^ok \d+/.test(line) && !line.includes("# SKIP")).length,
      notOk: lines.filter((line) => line.startsWith("not ok ")),
      exitCode: result.exitCode,
      stderr: result.stderr,
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
