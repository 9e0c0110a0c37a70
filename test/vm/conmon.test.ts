/** The tests under conmon once more, on cgroup v2 with AppArmor and systemd. */
import "../conformance/conmon.test.ts";
