/** For tests: what the kernel does with a program, in a child process that loads it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked } from "../../../host/process.ts";
import type { SeccompProgram } from "../compile.ts";

/** What came of one system call under the filter. */
export interface Outcome {
  /** The call's result, −errno where it failed; 0 where it never returned. */
  readonly result: number;
  /** The signal that ended the process, 0 for none. */
  readonly signal: number;
  /** Notifications that were answered (with the value 77). */
  readonly answered: number;
}

/** Loads filters for real; compiled from C when made. */
export class Loader implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "lxcri-seccomp-"));

  static async make(): Promise<Loader> {
    const loader = new Loader();
    const source = join(import.meta.dir, "load-filter.c");
    await runChecked(["gcc", "-O1", "-Wall", "-Werror", "-o", join(loader.#folder, "load"), source]);
    return loader;
  }

  /** @param number of the call; `i386:20` goes through the 32-bit entry */
  async call(
    filter: SeccompProgram,
    number: number | string,
    ...args: (number | bigint)[]
  ): Promise<Outcome> {
    const file = join(this.#folder, "program");
    writeFileSync(file, filter.program);
    const argv = [join(this.#folder, "load"), file, filter.flags, number, ...args].map(String);
    const { stdout } = await runChecked(argv, { timeout: 20_000 });
    const [result = 0, signal = 0, answered = 0] = stdout.trim().split(" ").map(Number);
    return { result, signal, answered };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
