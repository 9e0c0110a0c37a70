import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Seccomp } from "../../spec/config.ts";
import { SECCOMP_ACTIONS, SECCOMP_FLAGS } from "../../spec/names.ts";
import { parseActions, probeSeccomp, seccompFaults } from "./probe.ts";

describe("the seccomp probe", () => {
  test("finds what this kernel's own list holds, KILL counting as KILL_THREAD", () => {
    const listed = readFileSync("/proc/sys/kernel/seccomp/actions_avail", "utf8").trim().split(" ");
    const { actions } = probeSeccomp();
    expect(actions.has("SCMP_ACT_KILL")).toBe(listed.includes("kill_thread"));
    expect(actions.has("SCMP_ACT_NOTIFY")).toBe(listed.includes("user_notif"));
    expect(actions.size).toBe(listed.length + 1);
  });

  test("knows the flags of Linux 5.19 and later", () => {
    expect(probeSeccomp().flags).toEqual(new Set(SECCOMP_FLAGS));
  });

  test("names every property that an older kernel cannot do", () => {
    const old = { actions: parseActions("kill_thread trap errno trace allow\n"), flags: new Set<never>() };
    const profile: Seccomp = {
      defaultAction: "SCMP_ACT_LOG",
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        { names: ["read"], action: "SCMP_ACT_ALLOW" },
        { names: ["read"], action: "SCMP_ACT_KILL_PROCESS" },
      ],
    };
    expect(seccompFaults(profile, old).map((fault) => fault.path)).toEqual([
      "linux.seccomp.defaultAction",
      "linux.seccomp.syscalls[1].action",
      "linux.seccomp.flags[0]",
    ]);
  });

  test("says once that a kernel has no filters at all", () => {
    const faults = seccompFaults({ defaultAction: "SCMP_ACT_LOG" }, { actions: new Set(), flags: new Set() });
    expect(faults).toEqual([
      { path: "linux.seccomp", message: "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)" },
    ]);
  });

  test("finds nothing wrong with a profile that this kernel can do", () => {
    const syscalls = SECCOMP_ACTIONS.map((action) => ({ names: ["getppid"], action }));
    const profile: Seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      listenerPath: "/a",
      flags: SECCOMP_FLAGS,
      syscalls,
    };
    expect(seccompFaults(profile, probeSeccomp())).toEqual([]);
  });
});
