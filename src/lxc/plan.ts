/**
 * The plan that this room hands to the C program: what was decided, for it to do. The format is native/plan.h's:
 * records of a 32-bit value length, a key, the value, each ended by NUL; a value may itself be a plan.
 */

/** Collects records in order. Repeated keys are lists. */
export class Plan {
  readonly #parts: Buffer[] = [];

  /** Adds a record; undefined and false add none, true adds `1`. Text must not hold a NUL. */
  add(key: string, value: string | number | bigint | boolean | Uint8Array | Plan | undefined): this {
    if (value === undefined || value === false) return this;
    const bytes =
      value instanceof Plan
        ? value.bytes()
        : value instanceof Uint8Array
          ? Buffer.from(value)
          : Buffer.from(value === true ? "1" : String(value));
    const head = Buffer.alloc(4 + key.length + 1);
    head.writeUInt32LE(bytes.length);
    head.write(key, 4, "latin1");
    this.#parts.push(head, bytes, Buffer.alloc(1));
    return this;
  }

  /** Adds one record for each value. */
  addAll(key: string, values: Iterable<string | number | Plan> | undefined): this {
    for (const value of values ?? []) this.add(key, value);
    return this;
  }

  /** The plan as the C program reads it. */
  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
