/** `linux.memoryPolicy`. config-linux.md, Memory policy; set_mempolicy(2). */
import type { MemoryPolicy, MemoryPolicyMode } from "../config.ts";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "../names.ts";
import { oneOf, rangeList } from "../scalars.ts";
import { array, object, orEmpty } from "../shape.ts";

const WITHOUT_NODES: ReadonlySet<MemoryPolicyMode> = new Set(["MPOL_DEFAULT", "MPOL_LOCAL"]);
const BALANCING: ReadonlySet<MemoryPolicyMode> = new Set(["MPOL_BIND", "MPOL_PREFERRED_MANY"]);

export const memoryPolicy = object<MemoryPolicy>({
  required: { mode: oneOf(MEMORY_POLICY_MODES) },
  optional: { nodes: orEmpty(rangeList), flags: array(oneOf(MEMORY_POLICY_FLAGS)) },
  check({ mode, nodes, flags = [] }, path, findings) {
    const placed = flags.includes("MPOL_F_STATIC_NODES") || flags.includes("MPOL_F_RELATIVE_NODES");
    if (nodes !== undefined && WITHOUT_NODES.has(mode)) {
      findings.fault(`${path}.nodes`, `must be empty for ${mode}`);
    }
    // MPOL_PREFERRED without nodes means the local node.
    if (nodes === undefined && !WITHOUT_NODES.has(mode) && mode !== "MPOL_PREFERRED") {
      findings.fault(`${path}.nodes`, `${mode} needs at least one node`);
    }
    if (flags.includes("MPOL_F_STATIC_NODES") && flags.includes("MPOL_F_RELATIVE_NODES")) {
      findings.fault(`${path}.flags`, "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
    } else if (placed && nodes === undefined && mode !== "MPOL_DEFAULT") {
      findings.fault(`${path}.flags`, "say how to read the nodes, but there are no nodes");
    }
    if (flags.includes("MPOL_F_NUMA_BALANCING") && !BALANCING.has(mode)) {
      findings.fault(`${path}.flags`, `MPOL_F_NUMA_BALANCING does not go with ${mode}`);
    }
  },
});
