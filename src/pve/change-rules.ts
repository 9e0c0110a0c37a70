/** Which changes of a container's configuration are refused as a whole, and how accepted values are stored. */
import { LxcriError } from "../host/errors.ts";
import { isIpWithInterface } from "./address-formats.ts";
import type { ContainerConfig } from "./config-text.ts";
import { DEVICE_FORMAT, NET_FORMAT, numberedKey } from "./container-schema.ts";
import { parseMountPoint } from "./mount-point.ts";
import type { HotplugNode } from "./nic-plan.ts";
import { isNumber, isTrue, splitList } from "./perl-values.ts";
import { parsePropertyString } from "./property-string.ts";

/** Keys without which a container cannot be. */
const UNDELETABLE = new Set(["memory", "ostype", "rootfs"]);
/** Keys whose value becomes a limit of the container's cgroup. */
const LIMITS = new Set(["cpulimit", "cpuunits", "memory", "swap"]);

/** A container whose configuration is to change. */
export interface ChangeSubject {
  readonly vmid: number;
  readonly config: ContainerConfig;
  readonly node: HotplugNode;
}

function refuse(subject: ChangeSubject, key: string, reason: string): never {
  throw new LxcriError(
    "pve-change-refused",
    `cannot change '${key}' of container ${subject.vmid}: ${reason}`,
  );
}

function checkProtection(subject: ChangeSubject, key: string): void {
  if (isTrue(subject.config.values.get("protection")))
    throw new LxcriError(
      "pve-container-protected",
      `cannot change '${key}' of container ${subject.vmid}: the container is protected`,
      { fix: "Unset its 'protection' first." },
    );
}

/**
 * Checks that a key may be removed.
 *
 * @throws {@link LxcriError} `pve-change-refused` or `pve-container-protected` where it may not
 */
export function checkRemoval(subject: ChangeSubject, key: string): void {
  if (UNDELETABLE.has(key)) refuse(subject, key, "it is required");
  if (key === "unprivileged") refuse(subject, key, "it cannot be changed after creation");
  const family = numberedKey(key)?.family;
  if (family === "mp" || family === "unused") checkProtection(subject, key);
}

/**
 * The value that is stored for the one given: lists with one separator, tags sorted and once each.
 *
 * @throws {@link LxcriError} where the value is refused; a `PropertyStringError` names properties at fault
 */
export function acceptedValue(subject: ChangeSubject, key: string, value: string): string {
  if (LIMITS.has(key) && !isNumber(value)) refuse(subject, key, `'${value}' is not a number`);
  switch (key) {
    case "nameserver":
      if (!splitList(value).every(isIpWithInterface))
        refuse(subject, key, `'${value}' holds what is no address`);
      return splitList(value).join(" ");
    case "searchdomain":
      return splitList(value).join(" ");
    case "tags":
      return [...new Set(splitList(value.toLowerCase()))].sort().join(";");
    case "unprivileged":
      return refuse(subject, key, "it cannot be changed after creation");
    default:
  }
  const family = numberedKey(key)?.family;
  if (family === "net") checkNet(subject, key, value);
  if (family === "dev" && !parsePropertyString(DEVICE_FORMAT, value).has("path"))
    refuse(subject, key, "it names no device");
  if (family === "mp" || key === "rootfs") {
    checkProtection(subject, key);
    parseMountPoint(key, value);
  }
  return value;
}

function checkNet(subject: ChangeSubject, key: string, value: string): void {
  const net = parsePropertyString(NET_FORMAT, value);
  const mtu = net.get("mtu");
  if (isTrue(mtu)) {
    const name = net.get("bridge") ?? "(none)";
    const limit = subject.node.bridge(name)?.mtu;
    if (limit === undefined) refuse(subject, key, `bridge ${name} does not exist`);
    if (Number(mtu) > limit) refuse(subject, key, `MTU ${mtu} exceeds ${limit} of bridge ${name}`);
  }
  if (net.get("host-managed") === "1" && net.get("ip6") === "auto" && net.get("link_down") !== "1")
    refuse(subject, key, "the host cannot manage an interface with ip6=auto");
}
