/** Addresses as numbers: which lie in a network, which come first. */
import { isIpv4, isIpv6 } from "./address-formats.ts";

/** True where an address lies in a network given as `address/prefix`; false for different families. */
export function isAddressInside(address: string, cidr: string): boolean {
  const [network = "", prefix = ""] = cidr.split("/");
  const inner = addressBits(address);
  const outer = addressBits(network);
  if (inner === undefined || outer === undefined || inner.width !== outer.width) return false;
  const shift = BigInt(outer.width - Number(prefix));
  return inner.value >> shift === outer.value >> shift;
}

/** An address as a number, with the width of its family in bits; undefined where it is none. */
export function addressBits(text: string): { value: bigint; width: number } | undefined {
  if (isIpv4(text)) return { value: ipv4Number(text), width: 32 };
  if (!isIpv6(text)) return undefined;
  const tail = text.slice(text.lastIndexOf(":") + 1);
  let hex = text;
  if (isIpv4(tail)) {
    const number = ipv4Number(tail);
    hex = `${text.slice(0, -tail.length)}${(number >> 16n).toString(16)}:${(number & 0xffffn).toString(16)}`;
  }
  const [before = "", after] = hex.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const head = groups(before);
  const rest = groups(after ?? "");
  const middle = Array.from({ length: 8 - head.length - rest.length }, () => "0");
  const all = after === undefined ? head : [...head, ...middle, ...rest];
  return { value: all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n), width: 128 };
}

const ipv4Number = (text: string): bigint =>
  text.split(".").reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);

/** True where an address is the first of its network, as `address/prefix` of a network must be. */
export function isNetworkAddress(cidr: string): boolean {
  const [network = "", prefix = "", ...rest] = cidr.split("/");
  const bits = addressBits(network);
  if (rest.length > 0 || bits === undefined || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits.width)
    return false;
  const shift = BigInt(bits.width - Number(prefix));
  return (bits.value >> shift) << shift === bits.value;
}
