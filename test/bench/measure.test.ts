import { expect, test } from "bun:test";
import { measure, median } from "./measure.ts";
import { describeResult } from "./report.ts";

test("the median is the middle value, or the mean of the two middle ones", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([10, 9, 100])).toBe(10);
});

test("samples alternate, warm-up is thrown away, ratios are to the peer", async () => {
  const order: string[] = [];
  const sampler = (name: string, value: number) => () => {
    order.push(name);
    return order.length <= 6 ? 1000 : value;
  };
  const results = await measure({
    name: "exec",
    unit: "ms",
    ours: sampler("ours", 3),
    peers: { runc: sampler("runc", 12), crun: sampler("crun", 2) },
    goal: { ratio: 0.6 },
    samples: 2,
  });
  expect(order.slice(6)).toEqual(["ours", "runc", "crun", "crun", "runc", "ours"]);
  expect(results).toEqual([
    { name: "exec", unit: "ms", ours: 3, n: 2, peer: 12, peerName: "runc", ratio: 0.25, goal: 0.6 },
    { name: "exec-crun", unit: "ms", ours: 3, n: 2, peer: 2, peerName: "crun", ratio: 1.5, goal: null },
  ]);
  expect(results.map(describeResult).join("\n")).toContain("runc 12 ms, ratio 0.25  (goal 0.6)");
});

test("without a peer there is one result with an absolute goal", async () => {
  const comparison = {
    name: "idle",
    unit: "MB",
    ours: async () => 7,
    peers: {},
    goal: { ours: 80 },
    samples: 3,
  };
  expect(await measure(comparison)).toEqual([
    { name: "idle", unit: "MB", ours: 7, n: 3, peer: null, peerName: null, ratio: null, goal: 80 },
  ]);
});
