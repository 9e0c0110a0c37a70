/** OCI bundles on busybox for benchmarks and conformance tests of runtimes. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const namespaces = ["pid", "ipc", "uts", "mount", "network", "cgroup"];
const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/** What a bundle's container runs. */
export interface BundleProcess {
  readonly args: readonly string[];
  readonly terminal?: boolean;
}

/** Makes a bundle (config.json and a root file system of busybox) at `path`, which must not exist. */
export function makeBundle(path: string, { args, terminal = false }: BundleProcess): void {
  for (const folder of ["bin", "dev", "proc", "sys", "tmp", "etc"]) {
    mkdirSync(join(path, "rootfs", folder), { recursive: true });
  }
  copyFileSync("/bin/busybox", join(path, "rootfs/bin/busybox"));
  for (const applet of ["sh", "true", "sleep", "cat", "echo", "tty", "stat", "id", "hostname"]) {
    symlinkSync("busybox", join(path, "rootfs/bin", applet));
  }
  writeFileSync(join(path, "config.json"), JSON.stringify(config(args, terminal), null, 2));
}

const config = (args: readonly string[], terminal: boolean): object => ({
  ociVersion: "1.0.2",
  process: {
    terminal,
    user: { uid: 0, gid: 0 },
    args,
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    cwd: "/",
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: true,
  },
  root: { path: "rootfs", readonly: true },
  hostname: "bench",
  mounts: [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755"] },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  ],
  linux: {
    namespaces: namespaces.map((type) => ({ type })),
    resources: { devices: [{ allow: false, access: "rwm" }] },
    maskedPaths: ["/proc/kcore", "/proc/keys", "/sys/firmware"],
    readonlyPaths: ["/proc/sys", "/proc/sysrq-trigger"],
  },
});
