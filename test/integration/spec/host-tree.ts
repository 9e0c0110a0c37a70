/** For tests of mounts: a tree of mounts on the host, and short ways to name mounts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runChecked } from "../../../src/host/process.ts";
import type { Mount } from "../../../src/spec/config.ts";
import type { TestBundle } from "./bundle.ts";

/** The options column of a mount point in the container. */
export const optionsOf = (path: string) => `grep " ${path} " /proc/self/mountinfo | cut -d' ' -f6-`;

/** A folder of the host with a file and, mounted in it, a tmpfs with another file; unmounted at the end. */
export class HostTree implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(bundle: TestBundle, propagation: "private" | "shared" = "private"): Promise<HostTree> {
    const path = join(bundle.folder, "source");
    mkdirSync(path);
    await runChecked(["mount", "--bind", path, path]);
    await runChecked(["mount", `--make-${propagation}`, path]);
    mkdirSync(join(path, "inner"));
    await runChecked(["mount", "-t", "tmpfs", "inner", join(path, "inner")]);
    writeFileSync(join(path, "file"), "outer\n");
    writeFileSync(join(path, "inner/file"), "inner\n");
    return new HostTree(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(["umount", "--recursive", "--lazy", this.path]);
  }
}

/** A bind mount. */
export const bind = (source: string, destination: string, ...options: readonly string[]): Mount => ({
  destination,
  type: "bind",
  source,
  options,
});
