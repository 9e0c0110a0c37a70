/** Digests: `sha256:` and 64 hex digits. The only algorithm that images in the field use. */
import { createHash } from "node:crypto";
import { LxcriError } from "../host/errors.ts";

declare const digestBrand: unique symbol;
/** `sha256:<64 lower-case hex digits>`; safe as a file name once {@link hexOf} took the prefix off. */
export type Digest = string & { readonly [digestBrand]: true };

export const isDigest = (text: unknown): text is Digest =>
  typeof text === "string" && /^sha256:[0-9a-f]{64}$/.test(text);

/** @throws LxcriError `digest-invalid`, saying where the text came from */
export function parseDigest(text: unknown, where: string): Digest {
  if (isDigest(text)) return text;
  throw new LxcriError("digest-invalid", `${where}: not a sha256 digest: ${JSON.stringify(text)}`);
}

/** The 64 hex digits. */
export const hexOf = (digest: Digest): string => digest.slice("sha256:".length);

export const digestOf = (data: string | Uint8Array): Digest =>
  `sha256:${createHash("sha256").update(data).digest("hex")}` as Digest;

/** A digest made piece by piece. */
export class Hasher {
  // a third faster than node:crypto's
  readonly #hash = new Bun.CryptoHasher("sha256");

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  /** Ends it; call once. */
  digest(): Digest {
    return `sha256:${this.#hash.digest("hex")}` as Digest;
  }
}

/**
 * Identifies a stack of layers: the first layer's diff id, then SHA256(previous chain id + " " + diff id); image
 * spec, "Layer ChainID". The result has one chain id per layer, lowest first.
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : digestOf(`${parent} ${diffId}`));
  }
  return chain;
}
