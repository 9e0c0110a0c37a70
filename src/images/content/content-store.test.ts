import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryLockFile } from "../../host/file-lock.ts";
import { digestOf, hexOf } from "../../spec/digest.ts";
import { type BlobSource, ContentStore } from "./content-store.ts";

const BYTES = Buffer.from("0123456789".repeat(1000));
const blob = { digest: digestOf(BYTES), size: BYTES.length };

let dataRoot: string;
let store: ContentStore;
beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "lxcri-content-"));
  store = new ContentStore(dataRoot);
});
afterEach(() => rmSync(dataRoot, { recursive: true, force: true }));

const ingest = () => join(dataRoot, "content/ingest");
const part = () => join(ingest(), hexOf(blob.digest));

/** Notes the offsets that it was asked for. */
function source(offsets: number[] = []): BlobSource {
  return async function* (offset) {
    offsets.push(offset);
    yield BYTES.subarray(offset);
  };
}

test("a blob is there once, private, and read as it came", async () => {
  const offsets: number[] = [];
  const done: number[] = [];
  await store.ensure(blob, source(offsets), (bytes) => done.push(bytes));
  await store.ensure(blob, source(offsets), (bytes) => done.push(bytes));
  expect(offsets).toEqual([0]);
  expect(done.at(-1)).toBe(blob.size);
  expect(readFileSync(store.pathOf(blob.digest))).toEqual(BYTES);
  expect(statSync(store.pathOf(blob.digest)).mode & 0o777).toBe(0o600);
  expect(statSync(join(dataRoot, "content")).mode & 0o777).toBe(0o700);
  expect(await store.isIntact(blob)).toBe(true);
});

test("what a killed process left is taken up; if it is wrong or too long, all is fetched", async () => {
  const cases: [Buffer, number[]][] = [
    [BYTES.subarray(0, 4000), [4000]],
    [BYTES, []],
    [Buffer.alloc(4000), [4000, 0]],
    [Buffer.alloc(20_000), [0]],
  ];
  for (const [left, expected] of cases) {
    store.drop(blob.digest);
    writeFileSync(part(), left);
    const offsets: number[] = [];
    await store.ensure(blob, source(offsets));
    expect(offsets).toEqual(expected);
    expect(await store.isIntact(blob)).toBe(true);
    expect(readdirSync(ingest())).toEqual([]);
  }
});

test("damage is noticed, by size at once and by content when read", async () => {
  await store.ensure(blob, source());
  writeFileSync(store.pathOf(blob.digest), BYTES.subarray(1));
  expect(store.has(blob)).toBe(false);
  expect(await store.isIntact(blob)).toBe(false);
  writeFileSync(store.pathOf(blob.digest), Buffer.alloc(BYTES.length));
  expect(store.has(blob)).toBe(true);
  expect(await store.isIntact(blob)).toBe(false);
  store.drop(blob.digest);
  store.drop(blob.digest);
  await store.ensure(blob, source());
  expect(await store.isIntact(blob)).toBe(true);
});

test("two at once write it once", async () => {
  const offsets: number[] = [];
  await Promise.all([
    store.ensure(blob, source(offsets)),
    new ContentStore(dataRoot).ensure(blob, source(offsets)),
  ]);
  expect(offsets).toEqual([0]);
});

test("only what nobody writes is stale", async () => {
  writeFileSync(join(ingest(), "left"), "left");
  const held = tryLockFile(join(ingest(), "held"));
  const { path, lock } = store.scratch();
  store.removeStale();
  expect(
    readdirSync(ingest())
      .map((name) => join(ingest(), name))
      .sort(),
  ).toEqual([join(ingest(), "held"), path].sort());
  lock.release();
  held?.release();
  expect(readdirSync(ingest())).toEqual([]);
});

test("a blob larger than the disk is refused before it is fetched", async () => {
  const offsets: number[] = [];
  const huge = { digest: blob.digest, size: 2 ** 52 };
  const error = await store.ensure(huge, source(offsets)).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "disk-full" });
  expect(offsets).toEqual([]);
  expect(readdirSync(ingest())).toEqual([]);
});
