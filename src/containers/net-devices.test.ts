import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readlinkSync } from "node:fs";
import { run, runChecked } from "../host/process.ts";
import { moveNetDevices, netDeviceFaults } from "./net-devices.ts";

/** Unlike in the integration tests the namespace is a bare one, of a process that sleeps. */
let inside: Bun.Subprocess;
const [one, two] = [`lt${process.pid % 100_000}a`, `lt${process.pid % 100_000}b`];

const ipInside = async (...args: readonly string[]) =>
  (await runChecked(["nsenter", `--net=/proc/${inside.pid}/ns/net`, "ip", ...args])).stdout;

beforeEach(async () => {
  inside = Bun.spawn(["unshare", "--net", "sleep", "1000"], { stdin: "ignore" });
  const own = readlinkSync("/proc/self/ns/net");
  for (let i = 0; i < 300 && readlinkSync(`/proc/${inside.pid}/ns/net`) === own; i += 1) await Bun.sleep(10);
  await runChecked(["ip", "link", "add", one, "type", "veth", "peer", "name", two]);
  await runChecked(["ip", "address", "add", "192.0.2.9/25", "broadcast", "192.0.2.127", "dev", one]);
  await runChecked(["ip", "address", "add", "198.51.100.1", "peer", "198.51.100.2/32", "dev", one]);
});

afterEach(async () => {
  await run(["ip", "link", "delete", one]);
  await run(["ip", "link", "delete", two]);
  inside.kill("SIGKILL");
  await inside.exited;
});

describe("moving", () => {
  test("keeps addresses with their broadcast and peer, and brings the device up", async () => {
    await moveNetDevices({ [one]: { name: "inner" }, [two]: {} }, inside.pid);
    const [link] = JSON.parse(await ipInside("-json", "address", "show", "dev", "inner"));
    expect(link.flags).toContain("UP");
    const addresses = link.addr_info.filter(({ scope }: { scope: string }) => scope === "global");
    expect(addresses).toMatchObject([
      { local: "192.0.2.9", prefixlen: 25, broadcast: "192.0.2.127" },
      { local: "198.51.100.1", address: "198.51.100.2", prefixlen: 32 },
    ]);
    expect(await ipInside("link", "show", "dev", two)).toContain("UP");
    expect(existsSync(`/sys/class/net/${one}`)).toBe(false);
  });

  test("a failure returns those that moved before, with their addresses", async () => {
    const devices = { [one]: { name: "inner%d" }, nosuch0: {} };
    await expect(moveNetDevices(devices, inside.pid)).rejects.toThrow(
      "move network device nosuch0 into the container: it is not there any more",
    );
    expect((await runChecked(["ip", "-4", "-oneline", "address", "show", "dev", one])).stdout).toContain(
      "192.0.2.9/25",
    );
    expect(await ipInside("-oneline", "link")).not.toContain("inner0");
  });

  test("a name that was taken meanwhile is an error; the device stays", async () => {
    await expect(moveNetDevices({ [one]: { name: "lo" } }, inside.pid)).rejects.toThrow(
      `move network device ${one}`,
    );
    expect((await runChecked(["ip", "-4", "-oneline", "address", "show", "dev", one])).stdout).toContain(
      "192.0.2.9/25",
    );
    expect(await ipInside("-oneline", "link")).not.toContain(one);
  });
});

describe("faults", () => {
  const paths = async (...args: Parameters<typeof netDeviceFaults>) =>
    (await netDeviceFaults(...args)).map(({ path, message }) => `${path}: ${message}`);

  test("none of what can be done", async () => {
    expect(await paths({}, undefined)).toEqual([]);
    expect(await paths({ [one]: {}, [two]: { name: "eth%d" } }, { type: "network" })).toEqual([]);
    expect(await paths({ [one]: {} }, { type: "network", path: `/proc/${inside.pid}/ns/net` })).toEqual([]);
  });

  test("the host's namespace, a missing device, a taken name", async () => {
    const own = "linux.netDevices: the container has no network namespace of its own";
    expect(await paths({ [one]: {} }, undefined)).toEqual([own]);
    expect(await paths({ [one]: {} }, { type: "network", path: "/proc/self/ns/net" })).toEqual([own]);
    const joined = { type: "network", path: `/proc/${inside.pid}/ns/net` } as const;
    expect(await paths({ nosuch0: { name: "lo" } }, joined)).toEqual([
      "linux.netDevices.nosuch0: this machine has no such network device",
      "linux.netDevices.nosuch0: the container has a network device lo already",
    ]);
  });
});
