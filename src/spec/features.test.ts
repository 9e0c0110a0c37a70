import { expect, test } from "bun:test";
import { features } from "./features.ts";
import { CAPABILITIES } from "./names.ts";
import { judgeWith } from "./testing.ts";

const document = features({
  capabilities: CAPABILITIES,
  cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
  seccomp: {
    enabled: true,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    supportedFlags: ["SECCOMP_FILTER_FLAG_LOG"],
  },
  apparmor: true,
  selinux: false,
  intelRdt: false,
  annotations: { "org.example.version": "1" },
  unsafeAnnotations: ["org.example."],
});

test("has the properties of features.md 1.3.0 and no others", () => {
  expect(Object.keys(document).sort()).toEqual([
    "annotations",
    "hooks",
    "linux",
    "mountOptions",
    "ociVersionMax",
    "ociVersionMin",
    "potentiallyUnsafeConfigAnnotations",
  ]);
  expect(Object.keys(document.linux).sort()).toEqual([
    "apparmor",
    "capabilities",
    "cgroup",
    "intelRdt",
    "memoryPolicy",
    "mountExtensions",
    "namespaces",
    "netDevices",
    "seccomp",
    "selinux",
  ]);
});

test("both ends of its version range are accepted in a config", () => {
  for (const ociVersion of [document.ociVersionMin, document.ociVersionMax]) {
    expect(judgeWith({ ociVersion })).toMatchObject({ faults: [], warnings: [] });
  }
});

test("passes facts on and keeps null and false apart", () => {
  expect(document.linux.seccomp.archs).toEqual(["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"]);
  expect(document.linux.seccomp.supportedFlags).toEqual(["SECCOMP_FILTER_FLAG_LOG"]);
  expect(document.linux.selinux).toEqual({ enabled: false });
  expect(document.linux.intelRdt).toEqual({ enabled: false, schemata: false, monitoring: false });
  expect(document.linux.namespaces).toContain("time");
  expect(document.mountOptions).not.toContain("size=");
  expect(JSON.parse(JSON.stringify(document)) as unknown).toEqual(document as unknown);
});

test("knows all architectures unless told otherwise", () => {
  const { linux } = features({
    capabilities: [],
    cgroup: document.linux.cgroup,
    seccomp: { enabled: true, supportedFlags: [] },
    apparmor: false,
    selinux: false,
    intelRdt: true,
    annotations: {},
    unsafeAnnotations: [],
  });
  expect(linux.seccomp.archs).toContain("SCMP_ARCH_LOONGARCH64");
});
