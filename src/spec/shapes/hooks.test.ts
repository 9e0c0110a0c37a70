import { expect, test } from "bun:test";
import { HOOK_NAMES } from "../names.ts";
import { faultsWith, judgeWith } from "../testing.ts";

for (const name of HOOK_NAMES) {
  test(`takes ${name} hooks`, () => {
    const hooks = {
      [name]: [{ path: "/bin/true", args: ["true", ""], env: ["A=1"], timeout: 1 }, { path: "/x" }],
    };
    expect(judgeWith({ hooks }).config?.hooks).toEqual(hooks);
  });
}

const bad: [unknown, string][] = [
  [{ prestart: [{}] }, "hooks.prestart[0].path: is required"],
  [{ poststop: [{ path: "bin/true" }] }, 'hooks.poststop[0].path: must be an absolute path, not "bin/true"'],
  [
    { poststop: [{ path: "/x", timeout: 0 }] },
    "hooks.poststop[0].timeout: 0 is out of range: 1 to 2147483647",
  ],
  [
    { poststop: [{ path: "/x", timeout: -1 }] },
    "hooks.poststop[0].timeout: -1 is out of range: 1 to 2147483647",
  ],
  [
    { poststop: [{ path: "/x", timeout: 0.5 }] },
    "hooks.poststop[0].timeout: must be a whole number, not 0.5",
  ],
  [
    { poststop: [{ path: "/x", env: ["A"] }] },
    'hooks.poststop[0].env[0]: "A" has no =; an entry is NAME=value',
  ],
  [{ poststop: { path: "/x" } }, "hooks.poststop: must be an array, not an object"],
  [{ postStop: [] }, 'hooks.postStop: unknown property (did you mean "poststop"?)'],
];
for (const [hooks, fault] of bad) {
  test(`refuses: ${fault}`, () => expect(faultsWith({ hooks })).toEqual([fault]));
}
