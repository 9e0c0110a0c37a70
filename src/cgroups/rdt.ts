/** Intel RDT (OCI `linux.intelRdt`): a class of service in resctrl for a container. */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { errnoOf, isMissing } from "../host/errors.ts";
import type { IntelRdt } from "../spec/config.ts";
import { CgroupError } from "./hierarchy.ts";
import { readFile, writeControl } from "./leaf.ts";
import type { ResourceFault } from "./plan-builder.ts";

/** Where resctrl is mounted, of mountinfo(5); undefined where it is not. */
export function resctrlRoot(mountinfo = readFileSync("/proc/self/mountinfo", "utf8")): string | undefined {
  const line = mountinfo.split("\n").find((l) => l.includes(" - resctrl "));
  return line?.split(" ")[4];
}

/** Lines for `schemata`: l3CacheSchema without its MB lines, memBwSchema, then `schemata` (later ones win). */
export function schemataOf(rdt: IntelRdt): string[] {
  const l3 = (rdt.l3CacheSchema ?? "")
    .split("\n")
    .filter((line) => !line.startsWith("MB:") || !rdt.memBwSchema);
  return [...l3, rdt.memBwSchema ?? "", ...(rdt.schemata ?? [])].filter((line) => line.trim() !== "");
}

/** What this machine cannot do of it; `root` is {@link resctrlRoot}. */
export function probeRdt(rdt: IntelRdt, root: string | undefined): ResourceFault[] {
  const fault = (property: string, message: string): ResourceFault => ({
    path: `linux.intelRdt${property}`,
    message,
    probe: "controller",
  });
  if (root === undefined) {
    const known = readFileSync("/proc/filesystems", "utf8").includes("\tresctrl\n");
    const why = known ? "mount it: mount -t resctrl resctrl /sys/fs/resctrl" : "this CPU or kernel has none";
    return [fault("", `no resctrl file system is mounted (${why})`)];
  }
  const missing = (feature: string) => !existsSync(`${root}/info/${feature}`);
  const faults: ResourceFault[] = [];
  if (rdt.l3CacheSchema !== undefined && missing("L3") && missing("L3CODE")) {
    faults.push(fault(".l3CacheSchema", "resctrl offers no L3 cache allocation (info/L3)"));
  }
  if (rdt.memBwSchema !== undefined && missing("MB")) {
    faults.push(fault(".memBwSchema", "resctrl offers no memory bandwidth allocation (info/MB)"));
  }
  for (const [i, line] of (rdt.schemata ?? []).entries()) {
    const feature = line.split(":")[0]?.trim() ?? "";
    if (missing(feature))
      faults.push(fault(`.schemata[${i}]`, `resctrl offers no ${feature} (info/${feature})`));
  }
  if (rdt.enableMonitoring === true && missing("L3_MON")) {
    faults.push(fault(".enableMonitoring", "resctrl offers no monitoring (info/L3_MON)"));
  }
  return faults;
}

/** The container's folders in resctrl. */
export interface RdtGroup {
  /** Class of service; the root itself for closID `/`. */
  readonly class: string;
  /** Monitoring group, with enableMonitoring. */
  readonly monitor?: string;
  /** Whether the class was made for this container alone and goes with it. */
  readonly owned: boolean;
}

/** Where it goes; pure. @throws CgroupError `rdt-closid-invalid` */
export function planRdt(rdt: IntelRdt, root: string, id: string): RdtGroup {
  const name = rdt.closID ?? id;
  if (
    name !== "/" &&
    (/[/\n]/.test(name) || ["", ".", "..", "info", "mon_groups", "mon_data"].includes(name))
  ) {
    throw new CgroupError(
      "rdt-closid-invalid",
      `linux.intelRdt.closID ${JSON.stringify(name)}: is no class name`,
    );
  }
  const folder = name === "/" ? root : `${root}/${name}`;
  return {
    class: folder,
    owned: rdt.closID === undefined,
    ...(rdt.enableMonitoring === true ? { monitor: `${folder}/mon_groups/${id}` } : {}),
  };
}

/**
 * Makes the class, writes its schemata and puts the process in (OCI config-linux, "IntelRdt"). An existing class
 * is not changed: it has to be as asked.
 * @throws CgroupError `rdt-class-missing`, `rdt-schemata-differ`, `rdt-exhausted`, `cgroup-write-failed`
 */
export function applyRdt(rdt: IntelRdt, group: RdtGroup, pid: number): void {
  const lines = schemataOf(rdt);
  const made = makeGroup(group.class);
  if (made && rdt.closID !== undefined && lines.length === 0) {
    rmdirSync(group.class);
    throw new CgroupError(
      "rdt-class-missing",
      `linux.intelRdt.closID: ${group.class} is missing, and no schema says how to make it`,
    );
  }
  if (made || group.owned) {
    for (const line of lines) writeControl(group.class, "schemata", `${line}\n`);
  } else {
    const differing = lines.find((line) => !agrees(line, readFile(`${group.class}/schemata`) ?? ""));
    if (differing !== undefined) {
      throw new CgroupError(
        "rdt-schemata-differ",
        `${group.class}: its schemata are not ${differing} as the config asks`,
      );
    }
  }
  if (group.monitor !== undefined) makeGroup(group.monitor);
  writeControl(group.class, "tasks", String(pid));
  if (group.monitor !== undefined) writeControl(group.monitor, "tasks", String(pid));
}

function makeGroup(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") return false;
    if (errnoOf(cause) !== "ENOSPC") throw cause;
    throw new CgroupError("rdt-exhausted", `${folder}: the CPU has no class of service or monitor left`, {
      cause,
    });
  }
}

/** `L3:0=f;1=c` as kind and domain → value, leading zeros and blanks gone. */
function domains(line: string): Map<string, string> {
  const [kind = "", values = ""] = line.trim().split(":");
  return new Map(
    values.split(";").map((pair) => {
      const [domain = "", value = ""] = pair.split("=").map((part) => part.trim());
      return [`${kind}:${domain}`, value.toLowerCase().replace(/^0+(?=.)/, "")];
    }),
  );
}

/** Whether every domain that `line` names has the asked value in `schemata`. */
function agrees(line: string, schemata: string): boolean {
  const present = new Map(schemata.split("\n").flatMap((l) => [...domains(l)]));
  return [...domains(line)].every(([domain, value]) => present.get(domain) === value);
}

/** Takes away what was made for this container alone; gone already is fine. */
export function removeRdt(group: RdtGroup): void {
  for (const folder of [group.monitor, group.owned ? group.class : undefined]) {
    if (folder === undefined) continue;
    try {
      rmdirSync(folder);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}
