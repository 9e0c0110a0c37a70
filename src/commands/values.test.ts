import { describe, expect, test } from "bun:test";
import { parseSignal } from "../containers/signals.ts";
import { parseDuration } from "./duration.ts";
import { parseFlags } from "./parse.ts";
import { table } from "./table.ts";
import { resourcesOf, updateFlags } from "./update-flags.ts";

test.each([
  ["9", 9],
  ["KILL", 9],
  ["SIGKILL", 9],
  ["sigterm", 15],
  ["64", 64],
  ["RTMIN", 34],
  ["SIGRTMIN+3", 37],
  ["RTMAX-1", 63],
])("signal %s is %d", (text, number) => {
  expect(parseSignal(text)).toBe(number);
});

test.each(["", "0", "65", "-9", "KILLER", "SIG", "RTMIN+40", "RTMAX-31", "9.5", "0x9", "RTMIN+"])(
  "no signal: %j",
  (text) => {
    expect(() => parseSignal(text)).toThrow(`unknown signal ${JSON.stringify(text)}`);
  },
);

test.each([
  ["5s", 5_000],
  ["100ms", 100],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["1us", 1],
])("duration %s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "5", "s", "0s", "-1s", "5 s", "1000h", "1s!", "."])("no duration: %j", (text) => {
  expect(() => parseDuration(text)).toThrow("invalid duration");
});

describe("update flags", () => {
  const resources = (...argv: string[]) => resourcesOf(parseFlags(argv, updateFlags, false).values);

  test("become OCI resources", () => {
    expect(
      resources(
        ...["--memory", "64m", "--memory-swap=-1", "--memory-reservation", "1.5GiB", "--kernel-memory=1k"],
        ...["--cpu-shares", "512", "--cpu-quota", "-1", "--cpu-period=100000", "--cpuset-cpus", "0-1"],
        ...["--pids-limit", "200", "--blkio-weight", "300", "--cpuset-mems", ""],
      ),
    ).toEqual({
      memory: { limit: 67108864, swap: -1, reservation: 1610612736, kernel: 1024, checkBeforeUpdate: true },
      cpu: { shares: 512, quota: -1, period: 100000, cpus: "0-1" },
      pids: { limit: 200 },
      blockIO: { weight: 300 },
    });
    expect(resources("--cpu-burst", "5")).toEqual({ cpu: { burst: 5 } });
  });

  test.each(["-2", "64q", "m", "1e3", "9999p999", "99999999p", "0x10"])("refuse the size %j", (size) => {
    expect(() => resources(`--memory=${size}`)).toThrow("not a size in bytes");
  });
});

test("a table is as wide as runc's", () => {
  expect(table([["ID", "PID", "STATUS"]])).toBe("ID          PID         STATUS\n");
  expect(
    table([
      ["ID", "PID"],
      ["a-rather-long-id", "1"],
    ]),
  ).toBe("ID                 PID\na-rather-long-id   1\n");
});
