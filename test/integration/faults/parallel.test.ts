/** Many containers at a time, and many commands on one: each does its work or says why not; nothing is left. */
import { expect, test } from "bun:test";
import { Playground } from "./playground.fixture.ts";

/** Runs `work` for 0…count-1, `width` at a time. */
async function inParallel(
  count: number,
  width: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

for (const width of [16, 50]) {
  test(`50 containers, ${width} at a time`, async () => {
    await using made = new Playground();
    await inParallel(50, width, async (index) => {
      const id = made.id(`many-${index}`);
      const status = async () => (JSON.parse(await made.ok("state", id)) as { status: string }).status;
      await made.ok("create", id);
      expect(await status()).toBe("created");
      await made.ok("start", id);
      expect(await status()).toBe("running");
      expect(await made.ok("exec", id, "echo", id)).toBe(`${id}\n`);
      await made.ok("delete", "--force", id);
    });
    expect(await made.settled()).toEqual([]);
  });
}

test("50 containers are there at the same time, and each is listed", async () => {
  await using made = new Playground();
  const ids = Array.from({ length: 50 }, (_, i) => made.id(`many-${i}`)).sort();
  await inParallel(50, 16, async (index) => {
    await made.ok("run", "--detach", ids[index] ?? "");
  });
  const list = JSON.parse(await made.ok("list", "--format", "json")) as { id: string; status: string }[];
  expect(list.map(({ id, status }) => `${id} ${status}`)).toEqual(ids.map((id) => `${id} running`));
  await inParallel(50, 16, async (index) => {
    await made.ok("delete", "--force", ids[index] ?? "");
  });
  expect(await made.settled()).toEqual([]);
});

test("8 processes race to create, start, kill and delete one container", async () => {
  await using made = new Playground();
  const id = made.id("one");
  /** What each command may say when another one was there first. */
  const refusals: Readonly<Record<string, RegExp>> = {
    create: /already exists/,
    start: /does not exist|cannot start|init has ended/,
    kill: /does not exist|not running|already finished|no such process/,
    delete: /does not exist|not stopped/,
    state: /does not exist/,
  };
  const commands = [
    ["create", id],
    ["start", id],
    ["kill", id, "KILL"],
    ["delete", id],
    ["delete", "--force", id],
    ["state", id],
  ];
  const said: string[] = [];
  let succeeded = 0;
  await inParallel(240, 8, async (index) => {
    const args = commands[(index * 7 + Math.floor(index / 8)) % commands.length] ?? [];
    const { code, stderr } = await made.runtime(...args);
    if (code === 0) succeeded += 1;
    else if (refusals[args[0] ?? ""]?.test(stderr) !== true)
      said.push(`${args.join(" ")}: ${code}: ${stderr}`);
  });
  expect(said).toEqual([]);
  expect(succeeded).toBeGreaterThan(20);
  await made.ok("delete", "--force", id);
  expect(await made.settled()).toEqual([]);
}, 60_000);
