/**
 * Signatures as cosign makes them: an image under the tag `sha256-<digest>.sig`, each layer of which is a signed
 * statement ("simple signing"); cosign's SIGNATURE_SPEC.md. Verified with keys, by node:crypto.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { LxcriError, messageOf } from "../../host/errors.ts";
import { type Digest, digestOf, hexOf } from "../../spec/digest.ts";
import { parseManifest } from "../manifest.ts";
import { formatReference, parseReference, type Reference } from "../reference.ts";
import type { RegistryClient } from "../registry/client.ts";
import { RegistryError } from "../registry/registry-error.ts";
import type { SignedIdentity } from "./policy.ts";

const STATEMENT_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE = "dev.cosignproject.cosign/signature";
/** Bytes. */
const MAX_STATEMENT = 1 << 20;

/** A statement and its signature; neither is believed yet. */
export interface Signature {
  readonly statement: Uint8Array;
  readonly signature: Uint8Array;
}

/** All signatures that the registry keeps for a manifest. @throws RegistryError */
export async function fetchSignatures(
  client: RegistryClient,
  digest: Digest,
  signal?: AbortSignal,
): Promise<Signature[]> {
  const tag = `sha256-${hexOf(digest)}.sig`;
  let bytes: Uint8Array;
  try {
    ({ bytes } = await client.manifest(tag, signal));
  } catch (error) {
    if (error instanceof RegistryError && error.code === "image-not-found") return [];
    throw error;
  }
  const manifest = parseManifest(bytes, `signatures ${tag}`);
  if (manifest.kind !== "manifest") return [];
  const signatures: Signature[] = [];
  for (const layer of manifest.layers) {
    const signature = layer.annotations?.[SIGNATURE];
    if (layer.mediaType !== STATEMENT_TYPE || signature === undefined || layer.size > MAX_STATEMENT) continue;
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const piece of client.blob(layer.digest)(0, () => parts.splice(0), signal)) {
      size += piece.length;
      if (size > MAX_STATEMENT) break;
      parts.push(piece);
    }
    const statement = Buffer.concat(parts);
    if (digestOf(statement) !== layer.digest) continue;
    signatures.push({ statement, signature: Buffer.from(signature, "base64") });
  }
  return signatures;
}

/**
 * Why the signature does not say that the image is the one it should be; undefined where it does.
 * @param digests what the reference stands for: one of them must be signed
 * @throws LxcriError `policy-invalid` for a key that is none
 */
export function refusal(
  { statement, signature }: Signature,
  keys: readonly string[],
  reference: Reference,
  digests: readonly Digest[],
  identity: SignedIdentity,
): string | undefined {
  if (!keys.some((key) => isSigned(publicKey(key), statement, signature))) return "no key fits the signature";
  const { type, digest, name } = parseStatement(statement);
  if (type !== "cosign container image signature") return "the statement is not about an image";
  if (!digests.some((each) => each === digest)) return `the statement is about ${digest}`;
  if (name === undefined || !matches(name, reference, identity)) {
    return `the statement is about ${JSON.stringify(name)}`;
  }
  return undefined;
}

function publicKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (cause) {
    throw new LxcriError("policy-invalid", `a key of the policy is no public key: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function isSigned(key: KeyObject, statement: Uint8Array, signature: Uint8Array): boolean {
  const hash = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  try {
    return verify(hash, statement, key, signature);
  } catch {
    // a signature of another kind
    return false;
  }
}

interface Statement {
  readonly type: string | undefined;
  readonly digest: string | undefined;
  readonly name: string | undefined;
}

/** It is signed by somebody trusted, and yet not to be trusted to be well-formed. */
function parseStatement(bytes: Uint8Array): Statement {
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  try {
    const { critical } = JSON.parse(new TextDecoder().decode(bytes)) as {
      critical?: { type?: unknown; image?: Record<string, unknown>; identity?: Record<string, unknown> };
    };
    return {
      type: text(critical?.type),
      digest: text(critical?.image?.["docker-manifest-digest"]),
      name: text(critical?.identity?.["docker-reference"]),
    };
  } catch {
    return { type: undefined, digest: undefined, name: undefined };
  }
}

const repositoryOf = ({ registry, repository }: Reference): string => `${registry}/${repository}`;

/** containers-policy.json(5), "signedIdentity". */
function matches(signed: string, reference: Reference, identity: SignedIdentity): boolean {
  let named: Reference;
  try {
    named = parseReference(signed);
  } catch {
    return false;
  }
  const repository = repositoryOf(reference);
  // a name without tag and digest is no exact one
  const tagged = /[:@][^/]*$/.test(signed);
  switch (identity.type) {
    case "matchExact":
      return tagged && formatReference(named) === formatReference(reference);
    case "matchRepoDigestOrExact":
      return reference.digest === undefined
        ? tagged && formatReference(named) === formatReference(reference)
        : repositoryOf(named) === repository;
    case "matchRepository":
      return repositoryOf(named) === repository;
    case "exactReference":
      return formatReference(named) === formatReference(parseReference(identity.dockerReference));
    case "exactRepository":
      return repositoryOf(named) === repositoryOf(parseReference(identity.dockerRepository));
    case "remapIdentity": {
      const { prefix, signedPrefix } = identity;
      const within = repository === prefix || repository.startsWith(`${prefix}/`);
      const expected = within ? signedPrefix + repository.slice(prefix.length) : repository;
      return repositoryOf(named) === expected && (!tagged || named.tag === reference.tag);
    }
  }
}
