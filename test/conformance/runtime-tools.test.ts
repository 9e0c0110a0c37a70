/** The OCI's runtime-tools validate us and runc, side by side: we reach at least what runc reaches here. */
import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { buildValidation, compare, losses } from "./runtime-tools/validation.ts";
import { runtimeUnderTest } from "./runtime-under-test.ts";

const validation = await buildValidation(resolve(import.meta.dir, "../../dist/conformance/runtime-tools"));

if ("missing" in validation) {
  test.skip(`runtime-tools validation (${validation.missing})`, () => {});
} else {
  test.each(await compare(validation, runtimeUnderTest))("$name", (result) => {
    expect(result.ours.exitCode).not.toBe(137);
    expect(result.ours.stderr).not.toContain("panic:");
    expect(losses(result)).toEqual([]);
    if (result.runc.exitCode === 0) expect(result.ours.exitCode).toBe(0);
  });
}
