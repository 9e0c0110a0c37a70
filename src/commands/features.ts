import { probeSeccomp } from "../security/seccomp/probe.ts";
import { features } from "../spec/features.ts";
import { CAPABILITIES } from "../spec/names.ts";
import { buildCommit, releaseVersion } from "../telemetry/version.ts";
import type { Command } from "./command.ts";

/** `features`: what this runtime can do, whatever the host has (runtime-spec features.md). */
export const command: Command = {
  name: "features",
  summary: "print what this runtime supports as JSON",
  args: "",
  arity: [0, 0],
  flags: [],
  examples: ["features"],
  async run({ io }) {
    const document = features({
      capabilities: CAPABILITIES,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp: { enabled: true, supportedFlags: [...probeSeccomp().flags] },
      apparmor: true,
      selinux: true,
      intelRdt: true,
      annotations: { "proxmox-lxcri.version": releaseVersion, "proxmox-lxcri.commit": buildCommit },
      unsafeAnnotations: ["org.systemd.property."],
    });
    io.stdout(`${JSON.stringify(document, undefined, 2)}\n`);
    return 0;
  },
};
