/** Addresses and host names as Proxmox's schema checks them. All checks are linear in the length of the text. */

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
const LONGEST_ADDRESS = 45;

/** Dotted quad without leading zeros. */
export const isIpv4 = (text: string): boolean => text.length <= 15 && IPV4.test(text);

/** RFC 4291 text form, `::` standing for one group or more, an IPv4 tail allowed; no zone index. */
export function isIpv6(text: string): boolean {
  if (text.length < 2 || text.length > LONGEST_ADDRESS) return false;
  const gap = text.indexOf("::");
  if (gap < 0) return countGroups(text, true) === 8;
  const before = countGroups(text.slice(0, gap), false);
  const after = countGroups(text.slice(gap + 2), true);
  return before !== undefined && after !== undefined && before + after <= 7;
}

/** The 16-bit groups of `a:b:c`; undefined where one is malformed. */
function countGroups(text: string, mayEndInIpv4: boolean): number | undefined {
  if (text === "") return 0;
  const groups = text.split(":");
  const last = groups.at(-1) ?? "";
  let count = groups.length;
  if (mayEndInIpv4 && isIpv4(last)) {
    groups.pop();
    count++;
  }
  return groups.every((group) => HEX_GROUP.test(group)) ? count : undefined;
}

/** An address of either family. */
export const isIp = (text: string): boolean => isIpv4(text) || isIpv6(text);

/** `address/prefix` with a prefix from 8 to the family's width; leading zeros in the prefix are allowed. */
function isCidrOf(text: string, isAddress: (address: string) => boolean, width: number): boolean {
  const slash = text.indexOf("/");
  if (slash < 0 || !isAddress(text.slice(0, slash))) return false;
  const prefix = text.slice(slash + 1);
  return /^\d+$/.test(prefix) && Number(prefix) > 7 && Number(prefix) <= width;
}

/** An IPv4 address with a prefix of 8 to 32 bits. */
export const isCidrV4 = (text: string): boolean => isCidrOf(text, isIpv4, 32);

/** An IPv6 address with a prefix of 8 to 128 bits. */
export const isCidrV6 = (text: string): boolean => isCidrOf(text, isIpv6, 128);

/** An address of either family with its prefix. */
export const isCidr = (text: string): boolean => isCidrV4(text) || isCidrV6(text);

/** A unicast MAC address: its first octet is even. */
export const isMacAddress = (text: string): boolean =>
  text.length === 17 && /^[a-f0-9][02468ace](?::[a-f0-9]{2}){5}$/i.test(text);

/** One part of a host name: letters, digits and inner hyphens. Node names have the same form. */
export const isDnsLabel = (text: string): boolean =>
  /^[a-zA-Z0-9-]+$/.test(text) && !text.startsWith("-") && !text.endsWith("-");

/** Labels between dots; underscores and a final dot are refused. */
export const isDnsName = (text: string): boolean => text.split(".").every(isDnsLabel);

/** A network interface name: 2 to 21 characters, then an optional `.vlan` or `:alias` number. */
export const isInterfaceName = (text: string): boolean => /^[a-z][a-z0-9_]{1,20}(?:[:.]\d+)?$/i.test(text);

/** An address; link-local IPv6 may name its interface (`fe80::1%eth0`). */
export function isIpWithInterface(text: string): boolean {
  const percent = text.indexOf("%");
  if (percent < 0 || !/^fe80:/i.test(text)) return isIp(text);
  return isIpv6(text.slice(0, percent)) && isInterfaceName(text.slice(percent + 1));
}
