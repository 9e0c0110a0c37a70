/** The lifecycle's and the control groups' own tests once more, on cgroup v2 alone. */
import "../../src/containers/lifecycle.test.ts";
import "../../src/cgroups/apply.test.ts";
import "../../src/cgroups/leaf.test.ts";
import "../../src/cgroups/device-rules.test.ts";
import "../../src/cgroups/stats.test.ts";
