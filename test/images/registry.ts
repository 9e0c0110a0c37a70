/** A real registry (Debian's docker-registry) on a free loopback port, its data in a folder of the test's. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { runChecked } from "../../src/host/process.ts";

/** A running registry; `stop` ends it by its pid. */
export interface TestRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  stop(): Promise<void>;
}

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

/** Starts a registry that keeps its data in `dir`; resolves once it answers. */
export async function startRegistry(dir: string): Promise<TestRegistry> {
  mkdirSync(dir, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(dir, "config.yml");
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${join(dir, "data")}}}\nhttp: {addr: ${host}}\n`,
  );
  const child = Bun.spawn(["docker-registry", "serve", config], { stdout: "ignore", stderr: "ignore" });
  const deadline = Date.now() + 15_000;
  for (;;) {
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer?.ok === true) break;
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`docker-registry on ${host} did not come up (exit code ${child.exitCode})`);
    }
    await Bun.sleep(20);
  }
  return {
    host,
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

/** Pushes `oci:<dir>:<tag>` to `<registry>/<name>` with skopeo. */
export const pushLayout = async (
  dir: string,
  tag: string,
  registry: TestRegistry,
  name: string,
): Promise<void> => {
  await runChecked([
    "skopeo",
    "copy",
    "--quiet",
    "--insecure-policy",
    "--dest-tls-verify=false",
    `oci:${dir}:${tag}`,
    `docker://${registry.host}/${name}`,
  ]);
};
