/** Large buffers that pass by: the engine counts objects rather than bytes, and lets some 100 MB of them pile up. */

/** Bytes after which a collection, of 2 ms, is worth its time. */
const EVERY = 24 << 20;

let passed = 0;

/** Tells that so many bytes of short-lived buffers were used; now and then they are collected. */
export function bytesPassed(count: number): void {
  passed += count;
  if (passed < EVERY) return;
  passed = 0;
  Bun.gc(true);
}
