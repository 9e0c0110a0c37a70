import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { apparmorLabel, parseProfiles, probeAppArmor } from "./apparmor.ts";
import { isSELinuxLabel, probeSELinux, selinuxLabel } from "./selinux.ts";

let sys: string;
beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), "lxcri-sys-"));
});
afterEach(() => {
  rmSync(sys, { recursive: true, force: true });
});
const file = (path: string, text: string): void => {
  mkdirSync(dirname(join(sys, path)), { recursive: true });
  writeFileSync(join(sys, path), text);
};

describe("AppArmor", () => {
  const listed = "docker-default (enforce)\n/usr/{s,}bin/x (complain)\nfoo (bar) baz (unconfined)\n";

  test("is off where the kernel has none or has it switched off", () => {
    expect(probeAppArmor(sys)).toEqual({ enabled: false });
    file("module/apparmor/parameters/enabled", "N\n");
    expect(probeAppArmor(sys)).toEqual({ enabled: false });
  });

  test("shows its loaded profiles, names with spaces and brackets too", () => {
    file("module/apparmor/parameters/enabled", "Y\n");
    expect(probeAppArmor(sys)).toEqual({ enabled: true });
    file("kernel/security/apparmor/profiles", listed);
    expect([...(probeAppArmor(sys).profiles ?? [])]).toEqual([
      ["docker-default", "enforce"],
      ["/usr/{s,}bin/x", "complain"],
      ["foo (bar) baz", "unconfined"],
    ]);
  });

  test("agrees with this machine", () => {
    expect(probeAppArmor().enabled).toBe(existsSync("/sys/module/apparmor/parameters/enabled"));
  });

  test("unconfined needs nothing", () => {
    for (const profile of [undefined, "", "unconfined"])
      expect(apparmorLabel(profile, { enabled: false })).toBe("unconfined");
  });

  test("a profile needs AppArmor and must be loaded", () => {
    const profiles = parseProfiles(listed);
    expect(() => apparmorLabel("docker-default", { enabled: false })).toThrow("AppArmor is not enabled");
    expect(() => apparmorLabel("other", { enabled: true, profiles })).toThrow(
      'AppArmor profile "other": is not loaded',
    );
    expect(apparmorLabel("docker-default", { enabled: true, profiles })).toBe("docker-default");
    expect(apparmorLabel("other", { enabled: true })).toBe("other");
  });

  test("stacked and namespaced profiles are left to the kernel", () => {
    const state = { enabled: true, profiles: new Map<string, string>() };
    for (const profile of [":lxc-1://unconfined", "a//&b"])
      expect(apparmorLabel(profile, state)).toBe(profile);
  });

  test("a name cannot smuggle a line into a configuration", () => {
    expect(() => apparmorLabel("a\nlxc.cap.drop =", { enabled: true })).toThrow("no control characters");
  });
});

describe("SELinux", () => {
  test("is seen by its file system", () => {
    expect(probeSELinux(sys)).toEqual({ enabled: false, enforcing: false });
    file("fs/selinux/enforce", "0");
    expect(probeSELinux(sys)).toEqual({ enabled: true, enforcing: false });
    file("fs/selinux/enforce", "1");
    expect(probeSELinux(sys)).toEqual({ enabled: true, enforcing: true });
    expect(probeSELinux().enabled).toBe(existsSync("/sys/fs/selinux/enforce"));
  });

  test.each(["u:r:t", "system_u:system_r:container_t:s0", "a:b:c:s0:c1,c2", "a:b:c:s0-s15:c0.c1023"])(
    "%s is a label",
    (label) => {
      expect(isSELinuxLabel(label)).toBe(true);
    },
  );

  test.each(["", "t", "u:r", "u:r:t:", "u:r:t:s0:", "u:r:t:0", "u:r:t:s0\n", "u:r:t,x:s0", "u:r:t:s0:c1,"])(
    "%j is none",
    (label) => {
      expect(isSELinuxLabel(label)).toBe(false);
    },
  );

  test("a label needs SELinux; none needs nothing", () => {
    const off = { enabled: false, enforcing: false };
    expect(selinuxLabel(undefined, "process.selinuxLabel", off)).toBeUndefined();
    expect(selinuxLabel("", "process.selinuxLabel", off)).toBeUndefined();
    expect(() => selinuxLabel("u:r:t:s0", "linux.mountLabel", off)).toThrow(
      'linux.mountLabel "u:r:t:s0": SELinux is not enabled on this kernel',
    );
    expect(() => selinuxLabel("x", "linux.mountLabel", off)).toThrow("is not of the form");
    expect(selinuxLabel("u:r:t:s0", "linux.mountLabel", { enabled: true, enforcing: true })).toBe("u:r:t:s0");
  });
});
