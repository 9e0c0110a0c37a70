/** Which images may be used: `policy.json` of podman, skopeo and CRI-O; containers-policy.json(5). Pure but for reading. */
import { readFileSync } from "node:fs";
import { isMissing, LxcriError, messageOf } from "../../host/errors.ts";

/** Where the policy is looked for, the first that exists counts. */
export const POLICY_FILES: readonly string[] = ["/etc/containers/policy.json"];

/** How the name in a signature must match the image's. */
export type SignedIdentity =
  | { readonly type: "matchExact" | "matchRepoDigestOrExact" | "matchRepository" }
  | { readonly type: "exactReference"; readonly dockerReference: string }
  | { readonly type: "exactRepository"; readonly dockerRepository: string }
  | { readonly type: "remapIdentity"; readonly prefix: string; readonly signedPrefix: string };

/** One condition of a policy. */
export type Requirement =
  | { readonly type: "insecureAcceptAnything" | "reject" }
  /** Signed with one of the keys (PEM texts). */
  | { readonly type: "sigstoreSigned"; readonly keys: readonly string[]; readonly identity: SignedIdentity }
  /** Known to the format but not to us. */
  | { readonly type: "unsupported"; readonly what: string };

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A policy that was read. */
export class Policy {
  readonly #path: string;
  readonly #table: Table;

  /** @throws LxcriError `policy-invalid` */
  constructor(text: string, path: string) {
    this.#path = path;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw this.#invalid(`is no JSON: ${messageOf(cause)}`, cause);
    }
    if (!isTable(value) || !Array.isArray(value.default)) throw this.#invalid("has no default");
    this.#table = value;
  }

  /**
   * The conditions for an image, all of which must hold.
   * @param scopes names that the policy may have for it, the most specific first
   * @throws LxcriError `policy-invalid`
   */
  requirements(transport: string, scopes: readonly string[]): Requirement[] {
    const { transports = {} } = this.#table;
    if (!isTable(transports)) throw this.#invalid("transports must be an object");
    const own = Object.hasOwn(transports, transport) ? transports[transport] : {};
    if (!isTable(own)) throw this.#invalid(`transports.${transport} must be an object`);
    const scope = [...scopes, ""].find((each) => Object.hasOwn(own, each));
    const list = scope === undefined ? this.#table.default : own[scope];
    if (!Array.isArray(list) || list.length === 0) {
      throw this.#invalid(
        `${transport} ${JSON.stringify(scope ?? "default")}: must be a list of requirements`,
      );
    }
    return list.map((entry: unknown) => this.#requirement(entry));
  }

  #requirement(entry: unknown): Requirement {
    if (!isTable(entry)) throw this.#invalid("a requirement must be an object");
    switch (entry.type) {
      case "insecureAcceptAnything":
      case "reject":
        return { type: entry.type };
      case "sigstoreSigned":
        return this.#sigstore(entry);
      default:
        return { type: "unsupported", what: String(entry.type) };
    }
  }

  #sigstore(entry: Table): Requirement {
    const paths = [entry.keyPath, ...(Array.isArray(entry.keyPaths) ? entry.keyPaths : [])];
    const data = [entry.keyData, ...(Array.isArray(entry.keyDatas) ? entry.keyDatas : [])];
    const keys = [
      ...paths.filter((path) => typeof path === "string").map((path) => this.#readKey(path)),
      ...data
        .filter((text) => typeof text === "string")
        .map((text) => Buffer.from(text, "base64").toString()),
    ];
    if (entry.fulcio !== undefined || entry.pki !== undefined || entry.rekorPublicKeyPath !== undefined) {
      return { type: "unsupported", what: "sigstoreSigned with fulcio, pki or rekor" };
    }
    if (keys.length === 0) throw this.#invalid("sigstoreSigned names no key");
    return { type: "sigstoreSigned", keys, identity: this.#identity(entry.signedIdentity) };
  }

  #readKey(path: string): string {
    try {
      return readFileSync(path, "utf8");
    } catch (cause) {
      throw this.#invalid(`keyPath ${path}: ${messageOf(cause)}`, cause);
    }
  }

  #identity(value: unknown): SignedIdentity {
    if (value === undefined) return { type: "matchRepoDigestOrExact" };
    if (isTable(value)) {
      const { type, dockerReference, dockerRepository, prefix, signedPrefix } = value;
      if (type === "matchExact" || type === "matchRepoDigestOrExact" || type === "matchRepository") {
        return { type };
      }
      if (type === "exactReference" && typeof dockerReference === "string") return { type, dockerReference };
      if (type === "exactRepository" && typeof dockerRepository === "string")
        return { type, dockerRepository };
      if (type === "remapIdentity" && typeof prefix === "string" && typeof signedPrefix === "string") {
        return { type, prefix, signedPrefix };
      }
    }
    throw this.#invalid(`signedIdentity ${JSON.stringify(value)} is not understood`);
  }

  #invalid(why: string, cause?: unknown): LxcriError {
    return new LxcriError("policy-invalid", `${this.#path}: ${why}`, { cause });
  }
}

/** undefined where there is none: everything may be used. @throws LxcriError `policy-invalid` */
export function readPolicy(path?: string): Policy | undefined {
  for (const file of path === undefined ? POLICY_FILES : [path]) {
    try {
      return new Policy(readFileSync(file, "utf8"), file);
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (path !== undefined)
        throw new LxcriError("policy-invalid", `${path}: no such file`, { cause: error });
    }
  }
  return undefined;
}
