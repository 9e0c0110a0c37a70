/** The keys that leave a container running: ctrl-p ctrl-q, as with Docker. Pure. */

const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/** Looks for the keys in what is typed; the first is held back until it is clear what comes next. */
export class DetachKeys {
  #held = false;

  /** What to pass on; undefined once both keys were typed. */
  filter(typed: Uint8Array): Uint8Array | undefined {
    const passed: number[] = [];
    for (const key of typed) {
      if (this.#held && key === CTRL_Q) return undefined;
      if (this.#held) passed.push(CTRL_P);
      this.#held = key === CTRL_P;
      if (!this.#held) passed.push(key);
    }
    return Uint8Array.from(passed);
  }
}
