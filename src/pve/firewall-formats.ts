/** What firewall rules name: addresses, ports, protocols and ICMP types, as Proxmox's schema checks them. */
import { isNetworkAddress } from "./address-bits.ts";
import { isIp } from "./address-formats.ts";

const ICMP_TYPES = new Set(
  (
    "any echo-reply destination-unreachable network-unreachable host-unreachable protocol-unreachable " +
    "port-unreachable fragmentation-needed source-route-failed network-unknown host-unknown " +
    "network-prohibited host-prohibited TOS-network-unreachable TOS-host-unreachable " +
    "communication-prohibited host-precedence-violation precedence-cutoff source-quench redirect " +
    "network-redirect host-redirect TOS-network-redirect TOS-host-redirect echo-request " +
    "router-advertisement router-solicitation time-exceeded ttl-zero-during-transit " +
    "ttl-zero-during-reassembly parameter-problem ip-header-bad required-option-missing " +
    "timestamp-request timestamp-reply address-mask-request address-mask-reply no-route beyond-scope " +
    "address-unreachable failed-policy reject-route packet-too-big bad-header unknown-header-type " +
    "unknown-option neighbor-solicitation neighbour-solicitation neighbor-advertisement " +
    "neighbour-advertisement"
  ).split(" "),
);

/** Protocols of /etc/protocols that rules name in practice; any number from 0 to 255 is taken too. */
const PROTOCOLS = new Set(
  (
    "ip icmp igmp ggp ipencap st tcp egp igp pup udp hmp xns-idp rdp iso-tp4 dccp xtp ddp idpr-cmtp ipv6 " +
    "ipv6-route ipv6-frag idrp rsvp gre esp ah skip ipv6-icmp ipv6-nonxt ipv6-opts rspf vmtp eigrp ospf " +
    "ax.25 ipip etherip encap pim ipcomp vrrp l2tp isis sctp fc mobility-header udplite mpls-in-ip manet " +
    "hip shim6 wesp rohc ethernet icmpv6"
  ).split(" "),
);

/** Services of /etc/services that rules commonly name. */
const SERVICES = new Set(
  (
    "tcpmux echo discard systat daytime netstat qotd chargen ftp-data ftp ssh telnet smtp time whois tacacs " +
    "domain bootps bootpc tftp gopher finger http kerberos iso-tsap acr-nema pop3 sunrpc auth nntp ntp epmap " +
    "netbios-ns netbios-dgm netbios-ssn imap2 snmp snmp-trap cmip-man cmip-agent mailq xdmcp bgp smux qmtp " +
    "z3950 ipx ptp pawserv zserv rpc2portmap codaauth2 clearcase ldap svrloc https snpp microsoft-ds kpasswd " +
    "submissions saft isakmp rtsp nqs asf-rmcp qmqp ipp ldaps imaps pop3s openvpn rsync domain-s " +
    "syslog printer nfs mysql postgresql rdp ms-wbt-server x11 amqp redis munin zabbix-agent zabbix-trapper " +
    "submission nut sieve mdns radius radius-acct sip sip-tls l2f socks"
  ).split(" "),
);

/** The name of an ICMP type of either family; empty is allowed. */
export const isIcmpType = (text: string): boolean => text === "" || ICMP_TYPES.has(text);

/** A protocol's name or number; empty is allowed. */
export const isProtocol = (text: string): boolean =>
  text === "" ||
  text === "0" ||
  PROTOCOLS.has(text) ||
  (/^(?:[1-9]\d{0,2})$/.test(text) && Number(text) <= 142);

/** Up to 15 ports, ranges `a:b` (counted twice) and service names; a destination may be one ICMP type instead. */
export function isPortList(text: string, destination: boolean): boolean {
  const items = text === "" ? [] : text.split(",");
  let numbers = 0;
  let hasIcmp = false;
  for (const item of items) {
    const range = /^(\d+)(?::(\d+))?$/.exec(item);
    if (range !== null) {
      const first = Number(range[1]);
      const last = Number(range[2] ?? range[1]);
      if (first > 65535 || last > 65535 || first > last) return false;
      numbers += range[2] === undefined ? 1 : 2;
    } else if (destination && ICMP_TYPES.has(item)) {
      hasIcmp = true;
    } else if (!SERVICES.has(item)) {
      return false;
    }
  }
  return numbers <= 15 && !(hasIcmp && numbers > 0);
}

/** A set `+name`, an alias, one range `a-b`, or addresses and networks of one family between commas. */
export function isAddressList(text: string): boolean {
  if (/^\+[^\s]+$/.test(text)) return text.length <= 65;
  if (/^(?:(?:dc|guest)\/)?[A-Za-z][A-Za-z0-9\-_]+$/.test(text)) return text.length <= 64;
  const items = text === "" ? [] : text.split(",");
  if (items.length > 1 && items.some((item) => item.includes("-"))) return false;
  const valid = items.every((item) => (item.includes("-") ? item.split("-").every(isIp) : isNetwork(item)));
  return valid && new Set(items.map((item) => item.includes(":"))).size <= 1;
}

/** An address, or a network whose host bits are zero. */
function isNetwork(text: string): boolean {
  return text.includes("/") ? isNetworkAddress(text) : isIp(text);
}

/** An address or a network with any prefix of its family. */
export const isIpOrNetwork = isNetwork;

/** {@link isIpOrNetwork}, or the name of an alias. */
export const isIpNetworkOrAlias = (text: string): boolean =>
  isNetwork(text) || /^(?:(?:dc|guest)\/)?[A-Za-z][A-Za-z0-9\-_]+$/.test(text);
