/**
 * A runtime sampled in a process of its own, whose mount namespace lacks the empty cgroup v2 of a hybrid host:
 * crun refuses to run beside it. The program of that process, too: bun runtime-elsewhere.ts PROGRAM FOLDER
 */
import { RuntimeSubject, type SampleKind } from "./runtime-subject.ts";

const unified = "/sys/fs/cgroup/unified";

/** A {@link RuntimeSubject} in another process. */
export class ElsewhereSubject {
  readonly #child: Bun.Subprocess;
  #answer: PromiseWithResolvers<number>;

  constructor(program: string, folder: string) {
    this.#answer = Promise.withResolvers();
    const line = `umount ${unified} && exec "$@"`;
    const command = [process.execPath, import.meta.path, program, folder];
    this.#child = Bun.spawn(["unshare", "--mount", "sh", "-c", line, "sh", ...command], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (value) => this.#answer.resolve(Number(value)),
      onExit: (_child, status) => this.#answer.reject(new Error(`${program} elsewhere ended: ${status}`)),
    });
  }

  sample(kind: SampleKind): Promise<number> {
    this.#answer = Promise.withResolvers();
    this.#child.send(kind);
    return this.#answer.promise;
  }

  async close(): Promise<void> {
    this.#answer.promise.catch(() => {});
    this.#child.disconnect();
    await this.#child.exited;
  }
}

if (import.meta.main) {
  const [program = "", folder = ""] = process.argv.slice(2);
  const subject = new RuntimeSubject(program, folder);
  process.on("message", async (kind: SampleKind) => process.send?.(await subject.sample(kind)));
  process.on("disconnect", () => {
    subject.close();
    process.exit(0);
  });
}
