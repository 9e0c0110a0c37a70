/** Rules between distant parts of the configuration: nearly all of them ask which namespaces there are. */
import type { Config, Mount, Namespace, NamespaceType } from "./config.ts";
import { type Findings, quote } from "./faults.ts";
import { parseMountOptions } from "./mount-options.ts";
import { join } from "./shape.ts";
import { sysctlNamespace, sysctlPath } from "./sysctl.ts";

/** The container's own namespaces by type, new or joined. A type that is not there is shared with the host. */
type Namespaces = ReadonlyMap<NamespaceType, Namespace>;

/** Notes what contradicts the namespaces. Works on what is right in `config`, even if other parts are not. */
export function checkRules(config: Partial<Config>, findings: Findings): void {
  // With a mistyped namespace every rule below would add a fault that is none.
  if (findings.touches("linux.namespaces")) return;
  const namespaces: Namespaces = new Map(
    config.linux?.namespaces?.map((namespace) => [namespace.type, namespace]),
  );
  checkHostNames(config, namespaces, findings);
  checkUserNamespace(config, namespaces, findings);
  checkMountMappings(config.mounts ?? [], namespaces, findings);
  checkTime(config, namespaces, findings);
  checkSysctl(config, namespaces, findings);
  if (Object.keys(config.linux?.netDevices ?? {}).length > 0 && !namespaces.has("network")) {
    findings.fault("linux.netDevices", "needs a network namespace of the container's own");
  }
}

/** config.md, Hostname and Domainname: without a uts namespace this would rename the host. */
function checkHostNames(config: Partial<Config>, namespaces: Namespaces, findings: Findings): void {
  for (const name of ["hostname", "domainname"] as const) {
    if (config[name] !== undefined && !namespaces.has("uts")) {
      findings.fault(name, "needs a uts namespace of the container's own, else it would rename the host");
    }
  }
}

/** config-linux.md, User namespace mappings; user_namespaces(7). */
function checkUserNamespace(config: Partial<Config>, namespaces: Namespaces, findings: Findings): void {
  const user = namespaces.get("user");
  for (const kind of ["uidMappings", "gidMappings"] as const) {
    const path = `linux.${kind}`;
    const mappings = config.linux?.[kind] ?? [];
    if (user === undefined && mappings.length > 0) findings.fault(path, "needs a user namespace");
    if (user !== undefined && user.path === undefined && mappings.length === 0 && !findings.touches(path)) {
      findings.fault(path, "is required for a new user namespace");
    }
  }
}

/** config.md, Linux mount options, `idmap`: a mapping must come from somewhere. */
function checkMountMappings(mounts: readonly Mount[], namespaces: Namespaces, findings: Findings): void {
  if (namespaces.has("user")) return;
  mounts.forEach((mount, index) => {
    const { idmap } = parseMountOptions(mount.options ?? []);
    if (idmap !== undefined && mount.uidMappings === undefined && mount.gidMappings === undefined) {
      findings.fault(
        `mounts[${index}].options`,
        `${idmap} needs uidMappings and gidMappings, or a user namespace`,
      );
    }
  });
}

/** time_namespaces(7): offsets can only be written before the first process is in the namespace. */
function checkTime(config: Partial<Config>, namespaces: Namespaces, findings: Findings): void {
  if (Object.keys(config.linux?.timeOffsets ?? {}).length === 0) return;
  const time = namespaces.get("time");
  if (time === undefined) findings.fault("linux.timeOffsets", "needs a time namespace");
  else if (time.path !== undefined) {
    findings.fault("linux.timeOffsets", "cannot be set in a time namespace that is joined by path");
  }
}

/** config-linux.md, Sysctl: only what stays within the container. */
function checkSysctl(config: Partial<Config>, namespaces: Namespaces, findings: Findings): void {
  for (const name of Object.keys(config.linux?.sysctl ?? {})) {
    const file = sysctlPath(name);
    if (file === undefined) continue;
    const path = join("linux.sysctl", name);
    const owner = sysctlNamespace(file);
    if (owner === undefined) findings.fault(path, `${quote(name)} belongs to the host, not to a namespace`);
    else if (!namespaces.has(owner)) {
      findings.fault(
        path,
        `${quote(name)} needs a namespace of the type ${owner}, else it would change the host`,
      );
    }
    if (file === "kernel/hostname") {
      findings.fault(path, 'conflicts with the property "hostname": use that');
    }
    if (file === "kernel/domainname" && config.domainname !== undefined) {
      findings.fault(path, 'conflicts with the property "domainname"');
    }
  }
}
