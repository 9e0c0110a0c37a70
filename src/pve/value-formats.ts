/** Every named format of Proxmox's schema that a container, its network or the API uses, by its name. */
import * as address from "./address-formats.ts";
import { parseSize } from "./disk-size.ts";
import * as firewall from "./firewall-formats.ts";
import * as identifier from "./identifier-formats.ts";
import { splitList } from "./perl-values.ts";
import * as sdn from "./sdn-formats.ts";
import { isTimezone } from "./timezones.ts";

type Check = (text: string) => boolean;

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["CIDR", address.isCidr],
  ["CIDRv4", address.isCidrV4],
  ["CIDRv6", address.isCidrV6],
  ["IPorCIDR", firewall.isIpOrNetwork],
  ["IPorCIDRorAlias", firewall.isIpNetworkOrAlias],
  ["address", (text) => address.isIp(text) || address.isDnsName(text)],
  ["bridge-pair", (text) => identifier.isIdPair(text, identifier.isBridgeId)],
  ["disk-size", (text) => parseSize(text) !== undefined],
  ["dns-name", address.isDnsName],
  ["ip", address.isIp],
  ["ipv4", address.isIpv4],
  ["ipv6", address.isIpv6],
  ["lxc-ip-with-ll-iface", address.isIpWithInterface],
  ["mac-addr", address.isMacAddress],
  ["pve-bridge-id", identifier.isBridgeId],
  ["pve-configid", identifier.isConfigId],
  ["pve-ct-timezone", (text) => text === "host" || isTimezone(text)],
  ["pve-fw-addr-spec", firewall.isAddressList],
  ["pve-fw-dport-spec", (text) => firewall.isPortList(text, true)],
  ["pve-fw-icmp-type-spec", firewall.isIcmpType],
  ["pve-fw-protocol-spec", firewall.isProtocol],
  ["pve-fw-sport-spec", (text) => firewall.isPortList(text, false)],
  ["pve-iface", address.isInterfaceName],
  ["pve-ipv4-config", (text) => text === "dhcp" || text === "manual" || address.isCidrV4(text)],
  [
    "pve-ipv6-config",
    (text) => text === "auto" || text === "dhcp" || text === "manual" || address.isCidrV6(text),
  ],
  ["pve-lxc-dev-string", identifier.isDevicePath],
  ["pve-lxc-mp-string", identifier.isMountPath],
  ["pve-node", address.isDnsLabel],
  ["pve-poolid", identifier.isPoolId],
  ["pve-priv", identifier.isPrivilege],
  ["pve-realm", identifier.isRealm],
  ["pve-sdn-bgp-rt", sdn.isRouteTarget],
  ["pve-sdn-controller-id", sdn.isControllerId],
  ["pve-sdn-dns-id", sdn.isPlainSdnId],
  ["pve-sdn-fabric-id", sdn.isFabricId],
  ["pve-sdn-ipam-id", sdn.isPlainSdnId],
  ["pve-sdn-isis-net", sdn.isIsisNet],
  ["pve-sdn-subnet-id", sdn.isSubnetId],
  ["pve-sdn-vnet-id", sdn.isShortSdnId],
  ["pve-sdn-zone-id", sdn.isShortSdnId],
  ["pve-startup-order", (text) => identifier.parseStartup(text) !== undefined],
  ["pve-storage-content", identifier.isStorageContent],
  ["pve-storage-id", identifier.isStorageId],
  ["pve-tag", identifier.isTag],
  ["pve-task-status-type", identifier.isTaskStatus],
  ["pve-vlan-id-or-range", identifier.isVlanIdOrRange],
  ["pve-vmid", identifier.isVmid],
  ["pve-volume-id", identifier.isVolumeId],
  ["storage-pair", (text) => identifier.isIdPair(text, identifier.isStorageId)],
]);

/**
 * True where the text has the named format. `NAME-list` takes any number of them, none included; `NAME-opt`
 * takes the empty string too. A name that is not known accepts nothing.
 */
export function matchesFormat(format: string, text: string): boolean {
  const whole = CHECKS.get(format);
  if (whole !== undefined) return whole(text);
  if (format.endsWith("-list")) {
    const each = CHECKS.get(format.slice(0, -5));
    return each !== undefined && splitList(text).every(each);
  }
  if (format.endsWith("-opt")) {
    const wanted = CHECKS.get(format.slice(0, -4));
    return wanted !== undefined && (text === "" || text === "0" || wanted(text));
  }
  return false;
}
