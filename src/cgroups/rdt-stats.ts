/** What resctrl tells about a container's class of service, under runc's names. */
import { readdirSync } from "node:fs";
import { readFile } from "./leaf.ts";
import { counter } from "./stats-files.ts";

/** Values as JSON takes them; absent where the machine lacks the feature. */
export interface RdtStats {
  readonly l3_cache_info?: {
    readonly cbm_mask: string;
    readonly min_cbm_bits: bigint;
    readonly num_closids: bigint;
  };
  readonly l3_cache_schema_root?: string;
  readonly l3_cache_schema?: string;
  readonly mem_bw_info?: {
    readonly bandwidth_gran: bigint;
    readonly delay_linear: bigint;
    readonly min_bandwidth: bigint;
    readonly num_closids: bigint;
  };
  readonly mem_bw_schema_root?: string;
  readonly mem_bw_schema?: string;
  /** Per memory node, bytes. */
  readonly mbm_stats?: readonly { readonly mbm_total_bytes: bigint; readonly mbm_local_bytes: bigint }[];
  /** Per memory node, bytes. */
  readonly cmt_stats?: readonly { readonly llc_occupancy: bigint }[];
}

const schema = (folder: string, kind: string): string | undefined =>
  readFile(`${folder}/schemata`)
    ?.split("\n")
    .map((line) => line.trim())
    .find((line) => line.startsWith(`${kind}:`));

/** `{ [key]: value }` or nothing. */
const some = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]: V });

/** Reads the features, the schemata of `group`, and the counters of `monitor`. Absolute folders. */
export function readRdt(root: string, group: string, monitor = group): RdtStats {
  const number = (path: string) => counter(readFile(`${root}/info/${path}`));
  const mask = readFile(`${root}/info/L3/cbm_mask`);
  const granularity = readFile(`${root}/info/MB/bandwidth_gran`);
  return {
    ...some(
      "l3_cache_info",
      mask === undefined
        ? undefined
        : { cbm_mask: mask, min_cbm_bits: number("L3/min_cbm_bits"), num_closids: number("L3/num_closids") },
    ),
    ...some("l3_cache_schema_root", schema(root, "L3")),
    ...some("l3_cache_schema", schema(group, "L3")),
    ...some(
      "mem_bw_info",
      granularity === undefined
        ? undefined
        : {
            bandwidth_gran: counter(granularity),
            delay_linear: number("MB/delay_linear"),
            min_bandwidth: number("MB/min_bandwidth"),
            num_closids: number("MB/num_closids"),
          },
    ),
    ...some("mem_bw_schema_root", schema(root, "MB")),
    ...some("mem_bw_schema", schema(group, "MB")),
    ...monitors(monitor),
  };
}

function monitors(group: string): Pick<RdtStats, "mbm_stats" | "cmt_stats"> {
  const nodes =
    readFile(`${group}/mon_data/mon_L3_00/llc_occupancy`) ??
    readFile(`${group}/mon_data/mon_L3_00/mbm_total_bytes`);
  if (nodes === undefined) return {};
  const folders = readdirSync(`${group}/mon_data`)
    .filter((name) => name.startsWith("mon_L3_"))
    .sort()
    .map((name) => `${group}/mon_data/${name}`);
  const read = (folder: string, file: string) => counter(readFile(`${folder}/${file}`));
  return {
    mbm_stats: folders.map((folder) => ({
      mbm_total_bytes: read(folder, "mbm_total_bytes"),
      mbm_local_bytes: read(folder, "mbm_local_bytes"),
    })),
    cmt_stats: folders.map((folder) => ({ llc_occupancy: read(folder, "llc_occupancy") })),
  };
}
