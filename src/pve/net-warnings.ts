/** What Proxmox accepts in a container's interfaces and yet will hardly do what its author meant. */
import { isAddressInside } from "./address-bits.ts";
import type { ContainerNetworkInterface } from "./net-interface.ts";

/** The longest interface name that Linux takes, in characters. */
const LONGEST_NAME = 15;

/** One doubt about `net<index>`. `code` is stable and kebab-case. */
export interface NetWarning {
  readonly index: number;
  readonly code:
    | "duplicate-address"
    | "duplicate-mac"
    | "duplicate-name"
    | "gateway-outside-subnet"
    | "gateway-without-address"
    | "name-too-long";
  readonly message: string;
}

/** Looks at all interfaces of one container together. */
export function netWarnings(interfaces: readonly ContainerNetworkInterface[]): NetWarning[] {
  const warnings: NetWarning[] = [];
  const seen = new Map<string, number>();
  const once = (
    net: ContainerNetworkInterface,
    code: NetWarning["code"],
    what: string,
    value: string,
  ): void => {
    const key = `${code} ${value.toLowerCase()}`;
    const other = seen.get(key);
    if (other !== undefined)
      warnings.push({ index: net.index, code, message: `${what} ${value} is also that of net${other}` });
    else seen.set(key, net.index);
  };
  for (const net of interfaces) {
    if (net.name.length > LONGEST_NAME)
      warnings.push({
        index: net.index,
        code: "name-too-long",
        message: `name '${net.name}' is longer than the ${LONGEST_NAME} characters that Linux takes`,
      });
    once(net, "duplicate-name", "name", net.name);
    if (net.hwaddr !== undefined) once(net, "duplicate-mac", "MAC address", net.hwaddr);
    for (const cidr of [net.ip, net.ip6]) {
      if (cidr?.includes("/")) once(net, "duplicate-address", "address", cidr.split("/")[0] ?? cidr);
    }
    warnings.push(
      ...gatewayWarnings(net.index, net.ip, net.gw),
      ...gatewayWarnings(net.index, net.ip6, net.gw6),
    );
  }
  return warnings;
}

function gatewayWarnings(
  index: number,
  address: string | undefined,
  gateway: string | undefined,
): NetWarning[] {
  if (gateway === undefined) return [];
  if (address === undefined || !address.includes("/")) {
    const message = `gateway ${gateway} is set without a static address`;
    return address === undefined || address === "manual"
      ? [{ index, code: "gateway-without-address", message }]
      : [];
  }
  if (isAddressInside(gateway, address) || /^fe80:/i.test(gateway)) return [];
  return [
    {
      index,
      code: "gateway-outside-subnet",
      message: `gateway ${gateway} is outside the subnet of ${address}`,
    },
  ];
}
