/** Names of kernel parameters: how they map to files, and which namespace owns them. sysctl.d(5), namespaces(7). */
import type { NamespaceType } from "./names.ts";

/**
 * The file below /proc/sys, such as `net/ipv4/ip_forward`; undefined for a name that is none. As sysctl(8) has
 * it: where the first separator is a dot, dots part the segments and a slash stands for a dot in one; else the
 * other way round. Segments are never empty, `.` or `..`.
 */
export function sysctlPath(name: string): string | undefined {
  if (!/^[\w.\-/:@]+$/.test(name)) return undefined;
  const dotted = /[./]/.exec(name)?.[0] === ".";
  const segments = dotted ? name.split(".").map((segment) => segment.replaceAll("/", ".")) : name.split("/");
  if (segments.length < 2 || segments.some((segment) => /^\.{0,2}$/.test(segment))) return undefined;
  return segments.join("/");
}

const IPC_FILES: ReadonlySet<string> = new Set([
  "kernel/msgmax",
  "kernel/msgmnb",
  "kernel/msgmni",
  "kernel/sem",
  "kernel/shm_rmid_forced",
  "kernel/shmall",
  "kernel/shmmax",
  "kernel/shmmni",
]);

/** The namespace that a parameter (a path of {@link sysctlPath}) belongs to; undefined: the whole host's. */
export function sysctlNamespace(path: string): NamespaceType | undefined {
  if (path.startsWith("net/")) return "network";
  if (path.startsWith("fs/mqueue/") || IPC_FILES.has(path)) return "ipc";
  if (path === "kernel/hostname" || path === "kernel/domainname") return "uts";
  return undefined;
}
