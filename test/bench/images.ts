/** `npm run bench -- images`: pull and unpack beside containerd, and beside skopeo with umoci. */
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { ContainerdPuller, OurPuller, openPullWorld, SkopeoPuller } from "./images-world.ts";
import { measure, type Result } from "./measure.ts";
import { report } from "./report.ts";

/** KiB; 150 MB. */
const MEMORY_GOAL = Math.floor(150e6 / 1024);

const folder = mkdtempSync("/var/tmp/lxcri-bench-images-");
const world = await openPullWorld(folder);
try {
  const program = resolve(import.meta.dir, "../../dist/proxmox-lxcri");
  const ours = new OurPuller(program, world.reference, join(folder, "ours"));
  const containerd = new ContainerdPuller(world.reference, join(folder, "containerd"));
  const skopeo = new SkopeoPuller(world.reference, join(folder, "skopeo"));
  const results: Result[] = [
    ...(await measure({
      name: "pull",
      unit: "ms",
      ours: () => ours.sample(),
      peers: { containerd: () => containerd.sample(), "skopeo+umoci": () => skopeo.sample() },
      goal: { ratio: 0.4 },
      samples: 5,
      warmUp: 1,
    })),
    {
      name: "pull-memory",
      unit: "KiB",
      ours: Math.round(Math.max(...ours.peaks)),
      peer: null,
      peerName: null,
      ratio: null,
      goal: MEMORY_GOAL,
      n: ours.peaks.length,
    },
  ];
  report("images", results);
} finally {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
}
