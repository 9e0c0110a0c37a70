/** Asks the policy whether an image may be used, and looks at its signatures where it says so. */
import { resolve } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import type { Digest } from "../../spec/digest.ts";
import { formatReference, type ImageSource, type Reference } from "../reference.ts";
import { RegistryClient, type RegistrySettings } from "../registry/client.ts";
import { fetchSignatures, refusal, type Signature } from "./cosign.ts";
import { type Policy, type Requirement, readPolicy } from "./policy.ts";

/** How {@link admitSource} works. */
export interface AdmissionSettings extends RegistrySettings {
  readonly policyFile?: string;
  readonly signal?: AbortSignal;
}

/** Looks at the signatures of what a registry's reference stands for. @throws LxcriError `image-refused`; RegistryError */
export type SignatureCheck = (digests: readonly Digest[]) => Promise<void>;

/**
 * Refuses what can be refused without asking a registry; what comes back is to be called before anything of the
 * image is used.
 * @throws LxcriError `image-refused`, `policy-invalid`
 */
export function admitSource(source: ImageSource, settings: AdmissionSettings): SignatureCheck {
  const policy = readPolicy(settings.policyFile);
  const requirements = policy === undefined ? [] : requirementsOf(policy, source);
  const what =
    source.kind === "registry" ? formatReference(source.reference) : `${source.kind}:${source.path}`;
  const refuse = (why: string | undefined): void => {
    if (why === undefined) return;
    throw new LxcriError("image-refused", `${what}: the policy refuses it: ${why}`, {
      fix: "See containers-policy.json(5) and /etc/containers/policy.json.",
    });
  };
  for (const requirement of requirements) refuse(plainComplaint(requirement, source));
  return async (digests) => {
    for (const requirement of requirements) {
      if (requirement.type !== "sigstoreSigned" || source.kind !== "registry") continue;
      refuse(await signatureComplaint(requirement, source.reference, digests, settings));
    }
  };
}

function requirementsOf(policy: Policy, source: ImageSource): Requirement[] {
  if (source.kind !== "registry") {
    const path = resolve(source.path);
    const tag = "tag" in source && source.tag !== undefined ? [`${path}:${source.tag}`] : [];
    const above: string[] = [];
    for (let at = path; at !== "/"; at = resolve(at, "..")) above.push(at);
    return policy.requirements(source.kind, [...tag, ...above]);
  }
  const { registry, repository } = source.reference;
  const scopes = [formatReference(source.reference)];
  const parts = repository.split("/");
  for (let length = parts.length; length > 0; length -= 1) {
    scopes.push(`${registry}/${parts.slice(0, length).join("/")}`);
  }
  const host = registry.replace(/:\d+$/, "");
  const labels = host.split(".");
  const wildcards = labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join(".")}`);
  return policy.requirements("docker", [...scopes, registry, ...wildcards]);
}

/** What is against it whatever its signatures are. */
function plainComplaint(requirement: Requirement, source: ImageSource): string | undefined {
  switch (requirement.type) {
    case "insecureAcceptAnything":
      return undefined;
    case "reject":
      return "it rejects everything of this kind";
    case "unsupported":
      return `it asks for ${requirement.what}, which we cannot verify`;
    case "sigstoreSigned":
      return source.kind === "registry" ? undefined : "it asks for signatures, which only registries keep";
  }
}

async function signatureComplaint(
  { keys, identity }: Extract<Requirement, { type: "sigstoreSigned" }>,
  reference: Reference,
  digests: readonly Digest[],
  settings: AdmissionSettings,
): Promise<string | undefined> {
  const client = new RegistryClient(reference, settings);
  const signatures: Signature[] = [];
  for (const digest of digests) signatures.push(...(await fetchSignatures(client, digest, settings.signal)));
  const refusals = signatures.map((each) => refusal(each, keys, reference, digests, identity));
  if (refusals.includes(undefined)) return undefined;
  return refusals.length === 0 ? "it is not signed" : refusals.join("; ");
}
