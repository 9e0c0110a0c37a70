/** uid and gid mappings, of the user namespace and of mounts. config-linux.md, User namespace mappings. */
import type { IdMapping } from "../config.ts";
import type { Findings } from "../faults.ts";
import { integer, UINT32_MAX, uint32 } from "../scalars.ts";
import { array, object } from "../shape.ts";

const mapping = object<IdMapping>({
  required: { containerID: uint32, hostID: uint32, size: integer(1, UINT32_MAX) },
  optional: {},
  check({ containerID, hostID, size }, path, findings) {
    for (const [side, first] of Object.entries({ containerID, hostID })) {
      // The last id, 2^32−1, is "no id" to the kernel.
      if (first + size > UINT32_MAX)
        findings.fault(`${path}.size`, `reaches beyond the last id from ${side}`);
    }
  },
});

export const idMappings = array(mapping, (items, path, findings) => {
  noOverlap(items, "containerID", path, findings);
  noOverlap(items, "hostID", path, findings);
});

/** user_namespaces(7): ranges of one side must not overlap. */
function noOverlap(
  items: readonly IdMapping[],
  side: "containerID" | "hostID",
  path: string,
  findings: Findings,
): void {
  const ranges = items.flatMap((item, index) => ({ first: item[side], end: item[side] + item.size, index }));
  ranges.sort((a, b) => a.first - b.first);
  let previous: (typeof ranges)[number] | undefined;
  for (const range of ranges) {
    if (previous !== undefined && range.first < previous.end) {
      findings.fault(`${path}[${range.index}].${side}`, `overlaps ${path}[${previous.index}]`);
    }
    if (previous === undefined || range.end > previous.end) previous = range;
  }
}
