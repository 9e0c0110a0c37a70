/** Being with a launched container: its output is ours, our input and signals are its. */
import { read } from "node:fs";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { killContainer } from "../containers/kill.ts";
import { AttachSocket } from "../containers/launched/attach-socket.ts";
import { waitForExit } from "../containers/launched/conmon.ts";
import type { LaunchedRecord } from "../containers/launched/record.ts";
import { ContainerStore } from "../containers/store.ts";
import { LxcriError } from "../host/errors.ts";
import { makeRaw, terminalSize } from "../host/terminal.ts";
import { DetachKeys } from "./detach-keys.ts";
import { writeAll } from "./process-io.ts";

/** How it ended, for us. */
export type Ending = { readonly kind: "exited"; readonly code: number } | { readonly kind: "detached" };

/** Signals that are passed on where no terminal passes keys on. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
const STDIN = 0;
const PIECE = 8_192;

/** One stay. Make it before the container starts, then {@link stay}; close it in any case. */
export class Foreground implements Disposable {
  readonly #socket: AttachSocket;
  readonly #record: LaunchedRecord;
  readonly #bundle: string;
  readonly #cleanups: (() => void)[] = [];
  readonly #left = Promise.withResolvers<Ending>();
  readonly #output: Promise<void>;

  /** @param input pass our standard input on. @throws LxcriError `attach-failed` */
  constructor(record: LaunchedRecord, bundle: string, input: boolean) {
    this.#record = record;
    this.#bundle = bundle;
    this.#socket = new AttachSocket(bundle);
    this.#output = this.#socket.pump((stream, bytes) => writeAll(stream === "stdout" ? 1 : 2, bytes));
    this.#passSignals();
    const terminal = record.tty && isatty(STDIN);
    if (terminal) this.#passSize();
    if (terminal && input) this.#cleanups.push(makeRaw(STDIN));
    if (input) this.#passInput(terminal ? new DetachKeys() : undefined);
  }

  /**
   * Until the container ends, or its user leaves it.
   * @throws LxcriError `exit-code-unknown` where conmon was killed
   */
  async stay(): Promise<Ending> {
    const { name, conmon } = this.#record;
    const exited = (async (): Promise<Ending> => {
      const code = await waitForExit(this.#bundle, conmon);
      if (code === undefined) {
        throw new LxcriError(
          "exit-code-unknown",
          `container ${JSON.stringify(name)}: conmon has ended without one`,
        );
      }
      // All that the container has said is on its way to us by now.
      this.#socket.end();
      await this.#output;
      return { kind: "exited", code };
    })();
    return await Promise.race([exited, this.#left.promise]);
  }

  #passSignals(): void {
    const store = ContainerStore.open(this.#record.root);
    for (const name of SIGNALS) {
      const pass = (): void => {
        // It may have ended already.
        killContainer(store, this.#record.name, constants.signals[name], false).catch(() => {});
      };
      process.on(name, pass);
      this.#cleanups.push(() => process.off(name, pass));
    }
  }

  #passSize(): void {
    const pass = (): void => {
      const { rows, columns } = terminalSize(STDIN);
      this.#socket.resize(rows, columns);
    };
    pass();
    process.on("SIGWINCH", pass);
    this.#cleanups.push(() => process.off("SIGWINCH", pass));
  }

  #passInput(keys: DetachKeys | undefined): void {
    const buffer = Buffer.alloc(PIECE);
    const next = (): void => {
      read(STDIN, buffer, 0, PIECE, null, (error, size) => {
        if (error !== null || size === 0) {
          this.#socket.closeInput();
          return;
        }
        const typed = buffer.subarray(0, size);
        const passed = keys === undefined ? typed : keys.filter(typed);
        if (passed === undefined) this.#left.resolve({ kind: "detached" });
        else if (this.#socket.write(passed)) next();
      });
    };
    next();
  }

  [Symbol.dispose](): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
    this.#socket.close();
  }
}
