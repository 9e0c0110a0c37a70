/** Real groups and processes for tests; each test takes away what it made. */
import { mkdirSync } from "node:fs";
import { inheritCpuset } from "./cpuset.ts";
import { type CgroupLayout, detectLayout } from "./hierarchy.ts";
import { killAll, waitEmpty } from "./kill.ts";
import { Leaf } from "./leaf.ts";
import { enableBelow, removeLeaf } from "./leaf-lifecycle.ts";

let sequence = 0;

/** A leaf in every hierarchy of this machine, as LXC makes one, with the processes started in it. */
export class TestLeaf implements AsyncDisposable {
  readonly layout: CgroupLayout = detectLayout();
  readonly name: string;
  readonly leaf: Leaf;
  readonly #children: Bun.Subprocess[] = [];

  constructor() {
    sequence += 1;
    this.name = `lxcri-test-${process.pid}-${sequence}`;
    this.leaf = new Leaf(
      Object.fromEntries(this.layout.hierarchies.map((h) => [h.key, `${h.root}/${this.name}`])),
    );
    for (const h of this.layout.hierarchies) {
      if (h.version === 2) enableBelow(h.root, h.root, h.controllers);
      mkdirSync(`${h.root}/${this.name}`);
      if (h.controllers.includes("cpuset") && h.version === 1)
        inheritCpuset(h.root, `${h.root}/${this.name}`);
    }
  }

  /** Starts a shell script that waits until it is in the leaf (or in `child` below it in the v2 hierarchy). */
  run(script: string): Bun.Subprocess<"pipe", "pipe", "pipe"> {
    const child = Bun.spawn(["sh", "-c", `read go; ${script}`], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#children.push(child);
    this.leaf.addProcess(child.pid);
    child.stdin.write("go\n");
    child.stdin.flush();
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killAll(this.leaf, 9);
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map((child) => child.exited));
    await waitEmpty(this.leaf, 2_000);
    await removeLeaf(this.leaf);
  }
}
