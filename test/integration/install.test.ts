import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const script = resolve(import.meta.dir, "../../scripts/install");

test("install puts a working command in a prefix, twice over, and uninstall removes only that", () => {
  const prefix = mkdtempSync(join(tmpdir(), "prefix-"));
  const install = (...args: readonly string[]) => Bun.spawnSync([script, ...args, prefix]).exitCode;
  try {
    expect(install()).toBe(0);
    expect(install()).toBe(0);
    const command = join(prefix, "bin/proxmox-lxcri");
    const version = Bun.spawnSync([command, "--version"], { env: {}, cwd: "/" });
    expect(version.stdout.toString()).toStartWith("proxmox-lxcri version ");
    expect(readdirSync(join(prefix, "libexec/proxmox-lxcri")).sort()).toEqual([
      "proxmox-lxcri",
      "proxmox-lxcri-engine",
      "proxmox-lxcri-native",
    ]);

    writeFileSync(join(prefix, "bin/other"), "");
    expect(install("--uninstall")).toBe(0);
    expect(existsSync(join(prefix, "libexec/proxmox-lxcri"))).toBe(false);
    expect(readdirSync(join(prefix, "bin"))).toEqual(["other"]);
    expect(install("--uninstall")).toBe(0);
  } finally {
    rmSync(prefix, { recursive: true });
  }
});

test("an unknown option is refused", () => {
  expect(Bun.spawnSync([script, "--prefix=/nowhere"]).exitCode).toBe(2);
});
