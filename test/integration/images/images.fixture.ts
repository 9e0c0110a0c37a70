/** Image commands on a data root of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, runCommand } from "../../../src/commands/command.fixture.ts";
import { openStorage } from "../../../src/storage/storage.ts";

/** A data root; dispose of it. */
export class ImageRoom implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "lxcri-images-"));
  readonly dataRoot = join(this.folder, "data");

  at(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** `image …`, whatever comes of it. */
  run(...argv: readonly string[]): Promise<CommandResult> {
    return runCommand(["--data-root", this.dataRoot, "image", ...argv], { cwd: this.folder });
  }

  /** `image …`, which must succeed; its standard output without the last newline. */
  async image(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...argv);
    if (code !== 0) throw new Error(`image ${argv.join(" ")}: ${stderr}`);
    return stdout.trimEnd();
  }

  /** `image … --json`. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers as callers do
  async json(...argv: readonly string[]): Promise<any> {
    return JSON.parse(await this.image(...argv, "--json"));
  }

  /** A process of its own; its exit code and what it said, also after a kill. */
  start(
    env: Readonly<Record<string, string>>,
    ...argv: readonly string[]
  ): Bun.Subprocess<"ignore", "pipe", "pipe"> {
    return Bun.spawn(
      [
        process.execPath,
        join(import.meta.dir, "../../../src/main.ts"),
        "--data-root",
        this.dataRoot,
        "image",
        ...argv,
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { ...process.env, ...env }, cwd: this.folder },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const storage = openStorage(this.dataRoot);
    for (const { id } of storage.list()) await storage.remove(id);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
