/**
 * `npm run bench -- runtime`: our OCI runtime beside runc, and crun where it runs.
 * RUNTIME=/path measures another program in our place.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Goal, measure, type Result } from "./measure.ts";
import { report } from "./report.ts";
import { ElsewhereSubject } from "./runtime-elsewhere.ts";
import { RuntimeSubject, type SampleKind } from "./runtime-subject.ts";

const comparisons: readonly {
  readonly name: SampleKind;
  readonly unit: string;
  readonly goal: Goal;
  readonly samples: number;
}[] = [
  { name: "lifecycle", unit: "ms", goal: { ratio: 1 }, samples: 60 },
  { name: "exec", unit: "ms", goal: { ratio: 0.6 }, samples: 60 },
  { name: "state", unit: "ms", goal: { ours: 10 }, samples: 60 },
  { name: "memory", unit: "KiB", goal: { ours: 1600 }, samples: 7 },
];

/** conmon takes no name, only a path. */
function which(program: string): string {
  const path = Bun.which(program);
  if (path === null) throw new Error(`${program} is not installed`);
  return path;
}

// State and bundles on a tmpfs, as under every caller: the disk is not what is measured.
const folder = mkdtempSync("/dev/shm/lxcri-bench-");
const opened: { close(): void | Promise<void> }[] = [];
const open = <Subject extends { close(): void | Promise<void> }>(subject: Subject): Subject => {
  opened.push(subject);
  return subject;
};
try {
  const program = which(process.env.RUNTIME ?? resolve(import.meta.dir, "../../dist/proxmox-lxcri"));
  const ours = open(new RuntimeSubject(program, join(folder, "ours")));
  const runc = open(new RuntimeSubject(which("runc"), join(folder, "runc")));
  const crunFolder = join(folder, "crun");
  const hybrid = existsSync("/sys/fs/cgroup/unified");
  const crun = open(
    hybrid ? new ElsewhereSubject(which("crun"), crunFolder) : new RuntimeSubject(which("crun"), crunFolder),
  );
  const results: Result[] = [];
  for (const comparison of comparisons) {
    const { name } = comparison;
    const peers = { runc: () => runc.sample(name), crun: () => crun.sample(name) };
    results.push(...(await measure({ ...comparison, ours: () => ours.sample(name), peers })));
  }
  report("runtime", results);
} finally {
  for (const subject of opened) await subject.close();
  rmSync(folder, { recursive: true, force: true });
}
