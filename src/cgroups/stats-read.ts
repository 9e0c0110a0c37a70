/** Reads all counters of a container's groups, v1 or v2 by controller. */
import type { Leaf } from "./leaf.ts";
import type { ContainerStats } from "./stats.ts";
import { counter, sizesOf } from "./stats-files.ts";
import { readBlkio, readCpuset, readCpuV1, readMemoryV1 } from "./stats-v1.ts";
import { readCpuV2, readIo, readMemoryV2 } from "./stats-v2.ts";

/** Reads all counters of a leaf; those of missing controllers are zero. No process is started. */
export function readStats(leaf: Leaf): ContainerStats {
  return {
    cpu: leaf.version("cpu") === 2 ? readCpuV2(leaf) : readCpuV1(leaf),
    cpuset: readCpuset(leaf),
    memory: leaf.version("memory") === 2 ? readMemoryV2(leaf) : readMemoryV1(leaf),
    pids: {
      current: counter(leaf.read("pids", "pids.current")),
      limit: counter(leaf.read("pids", "pids.max"), 0n),
    },
    blkio: leaf.version("blkio") === 1 ? readBlkio(leaf) : readIo(leaf),
    hugetlb: readHugetlb(leaf),
  };
}

function readHugetlb(leaf: Leaf): ContainerStats["hugetlb"] {
  const folder = leaf.folderOf("hugetlb");
  if (folder === undefined) return {};
  const v1 = leaf.version("hugetlb") === 1;
  const read = (file: string) => leaf.read("hugetlb", file);
  return Object.fromEntries(
    sizesOf(folder).map((size) => {
      const plain = `hugetlb.${size}`;
      const name = leaf.has("hugetlb", `${plain}.rsvd.${v1 ? "usage_in_bytes" : "current"}`)
        ? `${plain}.rsvd`
        : plain;
      const entry = v1
        ? {
            usage: counter(read(`${name}.usage_in_bytes`)),
            max: counter(read(`${name}.max_usage_in_bytes`)),
            failcnt: counter(read(`${name}.failcnt`)),
          }
        : {
            usage: counter(read(`${name}.current`)),
            max: 0n,
            failcnt: counter(read(`${plain}.events`)?.replace(/^max /, "")),
          };
      return [size, entry];
    }),
  );
}
