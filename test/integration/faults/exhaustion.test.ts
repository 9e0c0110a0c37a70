/** A machine that has run out of something: a clear error, and nothing left behind. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { detectLayout } from "../../../src/cgroups/hierarchy.ts";
import { runChecked } from "../../../src/host/process.ts";
import { Playground } from "./playground.fixture.ts";

/** `work` with a tmpfs of these options as `--root`. */
async function onTmpfs(made: Playground, options: string, work: () => Promise<void>): Promise<void> {
  mkdirSync(made.root, { recursive: true });
  await runChecked(["mount", "-t", "tmpfs", "-o", options, "tmpfs", made.root]);
  try {
    await work();
  } finally {
    await runChecked(["umount", made.root]);
  }
}

/** Creates, starts and deletes, `caller` before each command; how far that came. A failure says `why`. */
async function live(
  made: Playground,
  why: RegExp,
  caller: readonly string[] = [],
): Promise<"failed" | "lived"> {
  const id = made.id("one");
  const create = await made.command([...caller, ...made.argv("create", id)]);
  const begun = create.code === 0 ? await made.command([...caller, ...made.argv("start", id)]) : create;
  // Room enough for the record, not for all that comes later, is no harm.
  const { code, stderr } = await made.runtime("delete", "--force", id);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(await made.settled()).toEqual([]);
  if (begun.code === 0) return "lived";
  expect(begun.stderr).toMatch(why);
  return "failed";
}

/** Every amount is tried; the least must fail, the most must do. */
async function forEach(
  amounts: readonly number[],
  attempt: (amount: number) => Promise<"failed" | "lived">,
): Promise<void> {
  const results: string[] = [];
  const faults: string[] = [];
  for (const amount of amounts) {
    try {
      results.push(await attempt(amount));
    } catch (error) {
      faults.push(`with ${amount}: ${error}`);
    }
  }
  expect(faults).toEqual([]);
  expect(results.at(0)).toBe("failed");
  expect(results.at(-1)).toBe("lived");
}

const steps = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);

describe("--root on a file system", () => {
  const full = /no space left on device|ENOSPC/i;

  test("without room for all that is written", async () => {
    await using made = new Playground();
    await forEach([...steps(4, 64, 4), 256], async (size) => {
      let result: "failed" | "lived" = "failed";
      await onTmpfs(made, `size=${size}k`, async () => {
        result = await live(made, full);
      });
      return result;
    });
  });

  test("without room for all files", async () => {
    await using made = new Playground();
    await forEach([...steps(1, 22, 1), 64], async (inodes) => {
      let result: "failed" | "lived" = "failed";
      await onTmpfs(made, `nr_inodes=${inodes}`, async () => {
        result = await live(made, full);
      });
      return result;
    });
  });

  test("that is read-only", async () => {
    await using made = new Playground();
    await onTmpfs(made, "ro", async () => {
      expect(await live(made, /read-only file system|EROFS/i)).toBe("failed");
    });
  });
});

test("too few descriptors", async () => {
  await using made = new Playground();
  await forEach([...steps(4, 64, 4), 96, 104, 128, 192, 256], (count) =>
    live(made, /too many open files|EMFILE|invalid argument|file descriptors/i, [
      "prlimit",
      `--nofile=${count}:${count}`,
    ]),
  );
});

test("too few processes", async () => {
  await using made = new Playground();
  const pids = detectLayout().hierarchies.find(({ controllers }) => controllers.includes("pids"));
  // Not reaped yet they still count: each attempt has a group of its own.
  const group = (count: number): string => `${pids?.root}/lxcri-caller-${process.pid}-${count}`;
  const amounts = [...steps(1, 10, 1), 64];
  try {
    await forEach(amounts, async (count) => {
      mkdirSync(group(count));
      writeFileSync(`${group(count)}/pids.max`, `${count}`);
      const caller = ["sh", "-c", `echo $$ >${group(count)}/cgroup.procs; exec "$@"`, "sh"];
      // Bun ends itself where it cannot begin its threads.
      return await live(made, /resource temporarily unavailable|EAGAIN|ended by signal 6|panic/i, caller);
    });
  } finally {
    for (const count of amounts) rmdirSync(group(count));
  }
});
