/** The flags that `checkpoint` and `restore` share: CRIU's. */
import type { Flag } from "./command.ts";

export const criuFlags: readonly Flag[] = [
  { name: "image-path", kind: "string", value: "DIR", summary: "folder of the checkpoint" },
  { name: "work-path", kind: "string", value: "DIR", summary: "folder for work files and logs" },
  { name: "tcp-established", kind: "boolean", summary: "allow open TCP connections" },
  { name: "tcp-close", kind: "boolean", summary: "close TCP connections" },
  { name: "ext-unix-sk", kind: "boolean", summary: "allow unix sockets whose other end is outside" },
  { name: "shell-job", kind: "boolean", summary: "allow shell jobs" },
  { name: "file-locks", kind: "boolean", summary: "allow file locks" },
  { name: "lazy-pages", kind: "boolean", summary: "restore memory lazily by userfaultfd" },
  { name: "auto-dedup", kind: "boolean", summary: "deduplicate memory images" },
  {
    name: "empty-ns",
    kind: "list",
    value: "NS",
    summary: "make the namespace, but restore nothing in it (repeatable)",
  },
  {
    name: "manage-cgroups-mode",
    kind: "string",
    value: "MODE",
    summary: "how cgroups are restored",
    choices: ["soft", "full", "strict", "ignore"],
  },
];
