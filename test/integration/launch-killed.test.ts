/** SIGKILL of `launch` at any moment: what is left is removed by `rm --force`, and replaced by a next launch. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { buildBusyboxImage } from "../images/build.ts";
import { LaunchWorld } from "./launch.fixture.ts";

const world = new LaunchWorld();
let image = "";

beforeAll(async () => {
  buildBusyboxImage(world.at("image"), { config: { Cmd: ["sleep", "1000"] } });
  image = `oci:${world.at("image")}`;
  // The layers are there, so that the kills hit what comes after.
  await world.ok("launch", "--rm", image, "true");
});
afterAll(() => world.dispose());

/** Launches detached, and kills it with all its children that are not conmon after `delay` ms; true where it had ended. */
async function launchAndKill(name: string, delay: number): Promise<boolean> {
  const child = Bun.spawn([...world.argv, "launch", "-d", "--name", name, image], {
    stdout: "ignore",
    stderr: "ignore",
  });
  await Promise.race([child.exited, Bun.sleep(delay)]);
  const ended = child.exitCode !== null;
  child.kill("SIGKILL");
  await child.exited;
  return ended;
}

const delays = Array.from({ length: 24 }, (_, i) => i * 4);

test("rm --force removes it all", async () => {
  for (const delay of delays) {
    const name = `${world.prefix}rm${delay}`;
    await launchAndKill(name, delay);
    const { stderr, exitCode } = await world.run(["rm", "--force", name]);
    expect({ delay, stderr, exitCode }).toEqual({ delay, stderr: "", exitCode: 0 });
    expect({ delay, left: await world.leftovers(name) }).toEqual({ delay, left: [] });
  }
});

test("a next launch replaces what was not whole, and leaves alone what is", async () => {
  for (const delay of delays) {
    const name = `${world.prefix}again${delay}`;
    await launchAndKill(name, delay);
    const { stderr, exitCode } = await world.run(["launch", "-d", "--name", name, image]);
    if (exitCode === 0) expect(await world.ok("exec", name, "echo", "there")).toBe("there\n");
    else expect({ delay, stderr }).toEqual({ delay, stderr: expect.stringContaining("already exists") });
    await world.ok("rm", "--force", name);
    expect({ delay, left: await world.leftovers(name) }).toEqual({ delay, left: [] });
  }
});
