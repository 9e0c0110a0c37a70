/** Our steps told in the words of the recorded commands, so that order and effect can be compared. */
import type { HotplugStep } from "../../src/pve/hotplug-steps.ts";

/** Commands without effect on a host as recorded, or that belong to how a step is done rather than what it does. */
const NOISE = [
  /ovs-vsctl/,
  /^<disable_ipv6>/,
  /bridge vlan del /,
  /\/sbin\/tc .* del /,
  /promote_secondaries/,
];

/** The recorded commands, or ours, without noise. */
export function effectsOf(commands: readonly (string | readonly string[])[]): string[] {
  const lines = commands.map((command) => (typeof command === "string" ? command : command.join(" ")));
  return lines.filter((line) => !NOISE.some((pattern) => pattern.test(line)));
}

const guest = (vmid: number, command: string): string =>
  `lxc-attach -n ${vmid} -s NETWORK -- /sbin/ip ${command}`;

/** What upstream runs for one step. */
export function commandsOf(step: HotplugStep, vmid: number): string[] {
  switch (step.do) {
    case "create-veth": {
      const address =
        step.hwaddr === undefined
          ? ""
          : ` addr ${step.hwaddr === "02:00:00:00:00:02" ? "<mac>" : step.hwaddr}`;
      return [
        `/sbin/ip link add name ${step.link} mtu ${step.mtu} type veth peer name ${step.peer} mtu ${step.peerMtu}${address}`,
        `/sbin/ip link set ${step.link} up mtu ${step.mtu}`,
        `/sbin/ip link set ${step.peer} up mtu ${step.peerMtu}`,
      ];
    }
    case "create-bridge":
      return [
        `/sbin/ip link add ${step.bridge} type bridge`,
        `/sbin/ip link set ${step.bridge} up mtu ${step.mtu}`,
      ];
    case "create-vlan-bridge": {
      const link = `${step.parent}.${step.tag}`;
      return [
        `/sbin/ip link add ${step.bridge} type bridge`,
        `/sbin/ip link set ${step.bridge} mtu ${step.mtu}`,
        `/sbin/ip link add link ${step.parent} name ${link} type vlan id ${step.tag}`,
        `/sbin/ip link set ${link} up`,
        `/sbin/ip link set ${link} mtu ${step.mtu}`,
        `/sbin/ip link set ${link} master ${step.bridge}`,
        `/sbin/ip link set ${step.bridge} up`,
      ];
    }
    case "add-port":
      return [
        `/sbin/ip link set ${step.link} mtu ${step.mtu}`,
        `/sbin/ip link set ${step.link} master ${step.bridge}`,
        ...(step.vlans === undefined ? [] : vlanCommands(step.link, step.vlans.tag, step.vlans.trunks)),
      ];
    case "set-vlans":
      return vlanCommands(step.link, step.vlans.tag, step.vlans.trunks);
    case "remove-port":
      return [`/sbin/ip link set ${step.link} nomaster`];
    case "delete-link":
      return [`/sbin/ip link delete dev ${step.link}`];
    case "limit-rate":
      return step.bytesPerSecond === undefined ? [] : rateCommands(step.link, step.bytesPerSecond);
    case "link-up":
      return [`/sbin/ip link set dev ${step.link} up`];
    case "link-down":
      return [`/sbin/ip link set dev ${step.link} down`];
    case "dhcp-start":
      return [`<dhclient> start ${vmid} ${step.family} ${step.name} /proc/4242/root`];
    case "dhcp-stop":
      return [`<dhclient> stop ${vmid} ${step.family} ${step.name} /proc/4242/root`];
    case "move-into-container":
      return [`lxc-device -n ${vmid} add ${step.peer} ${step.name}`];
    case "guest-link-up":
      return [guest(vmid, `link set ${step.name} up`)];
    case "guest-mtu":
      return [guest(vmid, `link set ${step.name} mtu ${step.mtu}`)];
    case "add-address":
      return [guest(vmid, `-${step.family} addr add ${step.address} dev ${step.name}`)];
    case "delete-address":
      return [guest(vmid, `-${step.family} addr del ${step.address} dev ${step.name}`)];
    case "set-default-route":
      return [guest(vmid, `-${step.family} route replace default via ${step.gateway}`)];
    case "delete-default-route":
      return [guest(vmid, `-${step.family} route del default`)];
    case "add-host-route":
      return [guest(vmid, `-${step.family} route replace ${step.to} dev ${step.name}`)];
    case "delete-host-route":
      return [guest(vmid, `-${step.family} route del ${step.to} dev ${step.name}`)];
    case "rewrite-guest-network":
      return ["<setup_network>"];
    case "set-memory":
      return [`<memory> ${step.max ?? ""} ${step.swap ?? ""} ${step.high ?? ""}`];
    case "set-cpu-quota":
      return [`<cpu-quota> ${step.quota ?? ""} ${step.period}`];
    case "set-cpu-weight":
      return [`<cpu-shares> ${step.weight ?? ""}`];
    case "mount":
    case "add-device":
    case "delete-volume":
      return [];
  }
}

function vlanCommands(link: string, tag: number | undefined, trunks: readonly number[]): string[] {
  const add = (vlan: string): string => `/sbin/bridge vlan add dev ${link} vid ${vlan}`;
  if (tag === undefined && trunks.length === 0) return [add("2-4094"), add("1 pvid untagged")];
  return [...trunks.map((id) => add(String(id))), add(`${tag ?? 1} pvid untagged`)];
}

function rateCommands(link: string, bytesPerSecond: number): string[] {
  const rate = `rate ${bytesPerSecond}bps burst 1048576b`;
  return [
    `/sbin/tc qdisc add dev ${link} root handle 1: htb default 1`,
    `/sbin/tc class add dev ${link} parent 1: classid 1:1 htb ${rate}`,
    `/sbin/tc qdisc add dev ${link} handle ffff: ingress`,
    `/sbin/tc filter add dev ${link} parent ffff: prio 50 basic police ${rate} mtu 64kb drop`,
  ];
}
