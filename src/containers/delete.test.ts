import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Hook } from "../spec/config.ts";
import { TestContainers } from "./containers.fixture.ts";
import { deleteContainer } from "./delete.ts";
import { killContainer } from "./kill.ts";

const program = `${import.meta.dir}/../main.ts`;
const remove = (made: TestContainers, force = false) =>
  deleteContainer({ store: made.store, id: "one", log: made.log }, { force });

function giveHooks(made: TestContainers, poststop: readonly Hook[]): void {
  writeFileSync(made.store.configPath("one"), JSON.stringify({ hooks: { poststop } }));
}

describe("poststop hooks", () => {
  test("run after the processes have gone, with the state on standard input", async () => {
    await using made = new TestContainers();
    const { leaf } = made.make("one");
    const seen = `${made.root}/seen`;
    const folder = leaf?.membership ?? "";
    const script = `cat > ${seen}; test -e ${folder} && echo "group is there" >> ${seen}; true`;
    giveHooks(made, [{ path: "/bin/sh", args: ["sh", "-c", script] }]);
    await remove(made, true);
    expect(JSON.parse(readFileSync(seen, "utf8"))).toMatchObject({
      ociVersion: "1.3.0",
      id: "one",
      status: "stopped",
      bundle: `${made.root}/bundle`,
      annotations: { "org.example": "yes" },
    });
    expect(made.logged).toEqual([]);
    expect(made.store.exists("one")).toBe(false);
  });

  test("one that fails is a warning, and the next one runs", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    init.kill("SIGKILL");
    await init.exited;
    const seen = `${made.root}/seen`;
    giveHooks(made, [
      { path: "/bin/false" },
      { path: "/no/such/hook" },
      { path: "/bin/sh", args: ["sh", "-c", `: > ${seen}`] },
    ]);
    await remove(made);
    expect(existsSync(seen)).toBe(true);
    expect(made.logged.length).toBe(2);
    expect(made.logged[0]).toContain("warning: ");
    expect(made.store.exists("one")).toBe(false);
  });

  test("a config that a kill cut short is no hindrance", async () => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    writeFileSync(made.store.configPath("one"), '{"hooks":{"post');
    await remove(made, true);
    expect(made.store.exists("one")).toBe(false);
  });
});

test("a stopped container harms not the one that took over its group", async () => {
  await using made = new TestContainers();
  const { init, record } = made.make("one");
  init.kill("SIGKILL");
  await init.exited;
  const younger = made.make("two", record.cgroup === undefined ? {} : { record: { cgroup: record.cgroup } });
  await killContainer(made.store, "one", 9, true);
  await remove(made);
  expect(made.store.list()).toEqual(["two"]);
  expect(younger.leaf?.processes()).toEqual([younger.init.pid]);
});

test("a delete killed at any moment leaves what the next one takes away", async () => {
  for (const delay of [15, 25, 30, 35, 40, 45, 50, 60]) {
    await using made = new TestContainers();
    const { init, leaf } = made.make("one", { argv: ["sh", "-c", "sleep 1000 & wait"] });
    const child = Bun.spawn([process.execPath, program, "--root", made.root, "delete", "--force", "one"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await Bun.sleep(delay);
    child.kill("SIGKILL");
    await child.exited;
    await remove(made, true);
    expect(await init.exited).toBe(137);
    expect(leaf?.exists()).toBe(false);
    expect(readdirSync(`${made.root}/containers`)).toEqual([]);
  }
}, 30_000);

test("of ten processes that delete the same container, none fails and nothing stays", async () => {
  await using made = new TestContainers();
  const { leaf } = made.make("one");
  const children = Array.from({ length: 10 }, () =>
    Bun.spawn([process.execPath, program, "--root", made.root, "delete", "--force", "one"], {
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  expect(await Promise.all(children.map((child) => child.exited))).toEqual(children.map(() => 0));
  expect(leaf?.exists()).toBe(false);
  expect(readdirSync(`${made.root}/containers`)).toEqual([]);
  expect(readdirSync(`${made.root}/locks`)).toEqual([]);
}, 30_000);
