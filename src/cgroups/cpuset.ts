/** cpuset of cgroup v1: a group with no CPUs or no memory nodes can hold no process. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { readFile, writeControl } from "./leaf.ts";

const FILES = ["cpuset.cpus", "cpuset.mems"] as const;

/**
 * Makes `parent`, which a container's group is to be made in, and those above it, none empty, and lets the kernel
 * fill what is made in it as its parent is: LXC sees to that for the first group of a path only.
 * @throws CgroupError `cgroup-write-failed`
 */
export function prepareCpuset(root: string, parent: string): void {
  if (!parent.startsWith(`${root}/`)) return;
  mkdirSync(parent, { recursive: true });
  inheritCpuset(root, parent);
  writeControl(parent, "cgroup.clone_children", "1");
}

/**
 * Fills empty `cpuset.cpus` and `cpuset.mems` of `folder` and of the groups above it, each from its parent, up to
 * `root`. Missing groups are left out. @throws CgroupError `cgroup-write-failed`
 */
export function inheritCpuset(root: string, folder: string): void {
  if (!folder.startsWith(`${root}/`)) return;
  inheritCpuset(root, dirname(folder));
  if (!existsSync(folder)) return;
  for (const file of FILES) {
    if (readFile(`${folder}/${file}`) !== "") continue;
    const value = readFile(`${dirname(folder)}/${file}`);
    if (value) writeControl(folder, file, value);
  }
}
