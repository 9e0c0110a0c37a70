import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { errnoOf, LxcriError } from "../host/errors.ts";
import { TestContainers } from "./containers.fixture.ts";
import { currentOwner, identify } from "./store.ts";

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    return error instanceof LxcriError ? error.code : errnoOf(error);
  }
  return undefined;
};

describe("ContainerStore", () => {
  test("keeps a record for root alone, and gives it back", async () => {
    await using made = new TestContainers();
    const { record } = made.make("one", { cgroup: false });
    expect(made.store.load("one")).toEqual(record);
    expect(made.store.list()).toEqual(["one"]);
    expect(statSync(`${made.root}/containers/one/state.json`).mode & 0o777).toBe(0o600);
    expect(statSync(`${made.root}/containers/one`).mode & 0o777).toBe(0o711);
  });

  test("takes an id once", async () => {
    await using made = new TestContainers();
    const { record } = made.make("one", { cgroup: false });
    expect(() => made.store.create("one", record)).toThrow("container with given ID already exists");
    expect(made.store.load("one")).toEqual(record);
  });

  test.each(["", ".", "..", "a/b", "../x", "a\nb", "a b", "x".repeat(256)])(
    "refuses the id %j",
    async (id) => {
      await using made = new TestContainers();
      expect(codeOf(() => made.store.load(id))).toBe("invalid-container-id");
    },
  );

  test("an id of 255 characters is stored", async () => {
    await using made = new TestContainers();
    const id = "x".repeat(255);
    made.make(id, { cgroup: false });
    (await made.store.lock(id)).releaseAndRemove();
    expect(made.store.load(id).id as string).toBe(id);
  });

  test("a missing container does not exist, and nothing is made by asking", async () => {
    await using made = new TestContainers();
    expect(() => made.store.load("no")).toThrow('container "no" does not exist');
    expect(made.store.list()).toEqual([]);
    expect(made.store.exists("no")).toBe(false);
    made.store.remove("no");
    expect(existsSync(`${made.root}/containers`)).toBe(false);
  });

  test.each([
    ["{", "is not JSON"],
    ["[]", "is not an object"],
    ["{}", "has no ociVersion"],
    [(text: string) => text.replace('"one"', '"two"'), 'is of "two"'],
    [(text: string) => text.replace('"phase":"created"', '"phase":"dancing"'), "has no phase"],
    [(text: string) => text.replace('"creator"', '"creature"'), "has no creator"],
    [(text: string) => text.replace(/"init":\{"pid":\d+/, '"init":{"pid":-1'), "has a bad init"],
    [(text: string) => text.replace('"annotations"', '"notes"'), "has no annotations"],
    [(text: string) => text.replace('"cgroupManager"', '"cgroup":1,"cgroupManager"'), "has a bad cgroup"],
  ])("a damaged record says so: %p", async (damage, why) => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    const path = `${made.root}/containers/one/state.json`;
    writeFileSync(path, typeof damage === "string" ? damage : damage(await Bun.file(path).text()));
    expect(() => made.store.load("one")).toThrow(`state.json ${why}`);
    expect(codeOf(() => made.store.load("one"))).toBe("container-damaged");
  });

  test("a folder without a record is a damaged container", async () => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    unlinkSync(`${made.root}/containers/one/state.json`);
    expect(() => made.store.load("one")).toThrow("does not exist");
    writeFileSync(made.store.configPath("one"), "{}");
    expect(() => made.store.load("one")).toThrow("state.json is missing");
    expect(made.store.exists("one")).toBe(true);
  });

  test("a record that cannot be written leaves no folder", async () => {
    await using made = new TestContainers();
    const { record } = made.make("one", { cgroup: false });
    expect(() => made.store.create("two", { ...record, annotations: cyclic() })).toThrow();
    expect(made.store.exists("two")).toBe(false);
  });

  test("removes the whole folder", async () => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    mkdirSync(`${made.root}/containers/one/hooks/deep`, { recursive: true });
    made.store.remove("one");
    expect(made.store.exists("one")).toBe(false);
  });
});

function cyclic(): Record<string, string> {
  const value: { self?: unknown } = {};
  value.self = value;
  return value as Record<string, string>;
}

test("identify names this process for good, and nobody for a dead one", async () => {
  expect(identify()?.pid).toBe(process.pid);
  const child = Bun.spawn(["true"]);
  await child.exited;
  expect(identify(child.pid)).toBeUndefined();
});

test("the owner is the user's name", () => {
  expect(currentOwner()).toBe(process.geteuid?.() === 0 ? "root" : userInfo().username);
});
