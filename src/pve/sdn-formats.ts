/** Ids and values of software-defined networks as Proxmox's schema checks them. */
import { isCidr } from "./address-formats.ts";

const ALPHANUMERIC_ID = /^[a-z][a-z0-9]*[a-z0-9]$/i;

/** A zone or VNet id: 2 to 8 letters and digits, a letter first. */
export const isShortSdnId = (text: string): boolean => text.length <= 8 && ALPHANUMERIC_ID.test(text);

/** An IPAM or DNS id: two letters or digits at least, a letter first. */
export const isPlainSdnId = (text: string): boolean => ALPHANUMERIC_ID.test(text);

/** A controller id: 2 to 64 letters, digits, `_` and `-`, a letter first. */
export const isControllerId = (text: string): boolean =>
  text.length <= 64 && /^[a-z][a-z0-9_-]*[a-z0-9]$/i.test(text);

/** A fabric id: 1 to 8 letters, digits and inner hyphens. */
export const isFabricId = (text: string): boolean =>
  /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,6}[a-zA-Z0-9])?$/.test(text);

/** A subnet: `10.0.0.0/24`, or the id `zone-10.0.0.0-24` that files use. */
export function isSubnetId(text: string): boolean {
  return isCidr(text.includes("/") ? text : text.split("-").slice(1, 3).join("/"));
}

/** A BGP route target, `asn:number`, both within 32 bits. */
export function isRouteTarget(text: string): boolean {
  const match = /^(\d+):(\d+)$/.exec(text);
  return match !== null && Number(match[1]) < 2 ** 32 && Number(match[2]) < 2 ** 32;
}

/** An IS-IS network entity title, such as `49.0001.1921.6800.1002.00`. */
export const isIsisNet = (text: string): boolean =>
  /^[a-fA-F0-9]{2}(?:\.[a-fA-F0-9]{4}){3,9}\.[a-fA-F0-9]{2}$/.test(text);
