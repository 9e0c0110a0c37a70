/** The OCI's runtime-tools validate us and runc, side by side: we reach at least what runc reaches here. */
import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { inPool } from "../runner/pool.ts";
import { buildValidation, validate } from "./runtime-tools/validation.ts";
import { runtimeUnderTest } from "./runtime-under-test.ts";

const validation = await buildValidation(resolve(import.meta.dir, "../../dist/conformance/runtime-tools"));

if ("missing" in validation) {
  test.skip(`runtime-tools validation (${validation.missing})`, () => {});
} else {
  const { folder, names } = validation;
  const compare = async (name: string) => ({
    name,
    ours: await validate(folder, name, runtimeUnderTest),
    runc: await validate(folder, name, "runc"),
  });
  // The control group programs all use the same groups.
  const groups = names.filter((name) => name.startsWith("linux_cgroups_"));
  const others = names.filter((name) => !groups.includes(name));
  const verdicts = [...(await inPool(others, 4, compare)), ...(await inPool(groups, 1, compare))];

  test.each(verdicts)("$name", ({ ours, runc }) => {
    expect(ours.exitCode).not.toBe(124);
    expect(ours.stderr).not.toContain("panic:");
    if (ours.notOk.length > runc.notOk.length) expect(ours.notOk).toEqual(runc.notOk);
    expect(ours.ok).toBeGreaterThanOrEqual(runc.ok);
    if (runc.exitCode === 0) expect(ours.exitCode).toBe(0);
  });
}
