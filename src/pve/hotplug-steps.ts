/** The changes that a running container's reconfiguration consists of: what is done, in order, to what. */

/** `4` for IPv4, `6` for IPv6. */
export type AddressFamily = 4 | 6;

/**
 * VLANs of a port of a VLAN-aware bridge: `tag` (1 where absent) untagged, `trunks` tagged. Without either, every
 * other VLAN passes tagged.
 */
export interface PortVlans {
  readonly tag?: number;
  readonly trunks: readonly number[];
}

/** A step on the host's side of an interface. Rates are octets a second, MTUs octets. */
export type HostNetworkStep =
  /** A veth pair, both ends up and without IPv6 addresses of their own. */
  | {
      readonly do: "create-veth";
      readonly link: string;
      readonly peer: string;
      readonly mtu: number;
      readonly peerMtu: number;
      readonly hwaddr?: string;
    }
  | { readonly do: "create-bridge"; readonly bridge: string; readonly mtu: number }
  /** A VLAN interface `<parent>.<tag>`, made where missing, as a port of `bridge`, which is made too. */
  | {
      readonly do: "create-vlan-bridge";
      readonly bridge: string;
      readonly mtu: number;
      readonly parent: string;
      readonly tag: number;
    }
  | {
      readonly do: "add-port";
      readonly link: string;
      readonly bridge: string;
      readonly mtu: number;
      /** Present where the bridge is VLAN-aware. */
      readonly vlans?: PortVlans;
    }
  | { readonly do: "set-vlans"; readonly link: string; readonly vlans: PortVlans }
  | { readonly do: "remove-port"; readonly link: string }
  /** Also takes the other end of a veth pair with it. Succeeds where the link is gone. */
  | { readonly do: "delete-link"; readonly link: string }
  /** No rate: no limit. Earlier limits are removed in either case. */
  | { readonly do: "limit-rate"; readonly link: string; readonly bytesPerSecond?: number }
  | { readonly do: "link-up"; readonly link: string }
  | { readonly do: "link-down"; readonly link: string }
  | { readonly do: "dhcp-start"; readonly family: AddressFamily; readonly name: string }
  | { readonly do: "dhcp-stop"; readonly family: AddressFamily; readonly name: string };

/** A step inside the container's network namespace. `name` is the interface's name there. */
export type GuestNetworkStep =
  | { readonly do: "move-into-container"; readonly peer: string; readonly name: string }
  | { readonly do: "guest-link-up"; readonly name: string }
  | { readonly do: "guest-mtu"; readonly name: string; readonly mtu: number }
  | {
      readonly do: "add-address";
      readonly family: AddressFamily;
      readonly name: string;
      readonly address: string;
    }
  /** Other addresses of the same subnet stay. */
  | {
      readonly do: "delete-address";
      readonly family: AddressFamily;
      readonly name: string;
      readonly address: string;
    }
  | { readonly do: "set-default-route"; readonly family: AddressFamily; readonly gateway: string }
  | { readonly do: "delete-default-route"; readonly family: AddressFamily }
  | {
      readonly do: "add-host-route";
      readonly family: AddressFamily;
      readonly name: string;
      readonly to: string;
    }
  | {
      readonly do: "delete-host-route";
      readonly family: AddressFamily;
      readonly name: string;
      readonly to: string;
    }
  /** Writes the guest's own network configuration files anew. */
  | { readonly do: "rewrite-guest-network" };

/** A step on the container's cgroup. Sizes are bytes; absent fields stay as they are. */
export type ResourceStep =
  | { readonly do: "set-memory"; readonly max?: number; readonly high?: number; readonly swap?: number }
  /** Microseconds of CPU time a period; no quota lifts the limit. */
  | { readonly do: "set-cpu-quota"; readonly quota?: number; readonly period: number }
  /** No weight: the default. */
  | { readonly do: "set-cpu-weight"; readonly weight?: number };

/** A step on the container's storage or devices. `value` is that of the configuration's `key`. */
export type StorageStep =
  | { readonly do: "mount"; readonly key: string; readonly value: string }
  | { readonly do: "add-device"; readonly key: string; readonly value: string }
  | { readonly do: "delete-volume"; readonly volume: string };

/** One step of a plan. */
export type HotplugStep = HostNetworkStep | GuestNetworkStep | ResourceStep | StorageStep;
