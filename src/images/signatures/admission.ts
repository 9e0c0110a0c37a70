/** Asks the policy whether an image may be used, and looks at its signatures where it says so. */
import { resolve } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import type { Digest } from "../../spec/digest.ts";
import { formatReference, type ImageSource } from "../reference.ts";
import { RegistryClient, type RegistrySettings } from "../registry/client.ts";
import { fetchSignatures, refusal, type Signature } from "./cosign.ts";
import { type Policy, type Requirement, readPolicy } from "./policy.ts";

/** How {@link admitSource} works. */
export interface AdmissionSettings extends RegistrySettings {
  readonly policyFile?: string;
  readonly signal?: AbortSignal;
}

/**
 * @param digests what a registry's reference stands for
 * @throws LxcriError `image-refused`, `policy-invalid`; RegistryError
 */
export async function admitSource(
  source: ImageSource,
  digests: readonly Digest[],
  settings: AdmissionSettings,
): Promise<void> {
  const policy = readPolicy(settings.policyFile);
  if (policy === undefined) return;
  const what =
    source.kind === "registry" ? formatReference(source.reference) : `${source.kind}:${source.path}`;
  for (const requirement of requirementsOf(policy, source)) {
    const why = await complaint(requirement, source, digests, settings);
    if (why === undefined) continue;
    throw new LxcriError("image-refused", `${what}: the policy refuses it: ${why}`, {
      fix: "See containers-policy.json(5) and /etc/containers/policy.json.",
    });
  }
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

/** undefined where the requirement holds. */
async function complaint(
  requirement: Requirement,
  source: ImageSource,
  digests: readonly Digest[],
  settings: AdmissionSettings,
): Promise<string | undefined> {
  switch (requirement.type) {
    case "insecureAcceptAnything":
      return undefined;
    case "reject":
      return "it rejects everything of this kind";
    case "unsupported":
      return `it asks for ${requirement.what}, which we cannot verify`;
    case "sigstoreSigned": {
      if (source.kind !== "registry") return "it asks for signatures, which only registries keep";
      const signatures: Signature[] = [];
      for (const digest of digests) {
        const client = new RegistryClient(source.reference, settings);
        signatures.push(...(await fetchSignatures(client, digest, settings.signal)));
      }
      const { keys, identity } = requirement;
      const refusals = signatures.map((each) => refusal(each, keys, source.reference, digests, identity));
      if (refusals.includes(undefined)) return undefined;
      return refusals.length === 0 ? "it is not signed" : refusals.join("; ");
    }
  }
}
