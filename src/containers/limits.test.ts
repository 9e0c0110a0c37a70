import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Leaf } from "../cgroups/leaf.ts";
import { defaultConfig } from "../spec/default-config.ts";
import { TestContainers } from "./containers.fixture.ts";
import { limitContainer } from "./limits.ts";

const config = { ...defaultConfig(), linux: { resources: { pids: { limit: 77 } } } };

const pidsMax = (folders: Readonly<Record<string, string>>): string => {
  const folder = new Leaf(folders).folderOf("pids");
  return folder === undefined ? "no controller" : readFileSync(`${folder}/pids.max`, "utf8").trim();
};

test("the container's group gets what the config asks for", async () => {
  await using made = new TestContainers();
  const { record } = made.make("one");
  await limitContainer(record, config);
  expect(pidsMax(record.cgroup?.leaves ?? {})).toBe("77");
});

test("nothing is limited where the caller wants no manager", async () => {
  await using made = new TestContainers();
  const { record } = made.make("one", { record: { cgroupManager: "disabled" } });
  await limitContainer(record, config);
  expect(pidsMax(record.cgroup?.leaves ?? {})).toBe("max");
});

test("a container whose groups have gone is no error", async () => {
  await using made = new TestContainers();
  const { record } = made.make("one", { cgroup: false });
  await limitContainer(record, config);
  expect(record.cgroup).toBeUndefined();
});
