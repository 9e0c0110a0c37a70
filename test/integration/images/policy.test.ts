/** policy.json and cosign's signatures, with a real registry and keys of this test's own. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { obtainImage } from "../../../src/images/obtain.ts";
import { RegistryUploader } from "../../../src/images/registry/upload.ts";
import { digestOf } from "../../../src/spec/digest.ts";
import { type BuiltImage, buildBusyboxImage } from "../../images/build.ts";
import { pushLayout, startRegistry, type TestRegistry } from "../../images/registry.ts";

setDefaultTimeout(60_000);

const ours = generateKeyPairSync("ec", { namedCurve: "P-256" });
const theirs = generateKeyPairSync("ec", { namedCurve: "P-256" });
let shared: string;
let image: BuiltImage;
let registry: TestRegistry;
beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), "lxcri-policy-"));
  image = buildBusyboxImage(join(shared, "layout"));
  registry = await startRegistry(join(shared, "registry"));
  writeFileSync(join(shared, "ours.pub"), ours.publicKey.export({ type: "spki", format: "pem" }));
});
afterAll(async () => {
  await registry.stop();
  rmSync(shared, { recursive: true, force: true });
});

/** What cosign would say of the image. */
const statement = (
  name: string,
  digest = image.manifestDigest,
  type = "cosign container image signature",
): string =>
  JSON.stringify({
    critical: { identity: { "docker-reference": name }, image: { "docker-manifest-digest": digest }, type },
    optional: null,
  });

/** Pushes the image as `repository:1`, and signatures as cosign does. */
async function publish(
  repository: string,
  ...signed: readonly { key: typeof ours; text: string }[]
): Promise<string> {
  await pushLayout(image.dir, image.tag, registry, `${repository}:1`);
  const uploader = new RegistryUploader({ registry: registry.host, repository }, { certsDirs: [] });
  const put = async (text: string): Promise<{ digest: string; size: number }> => {
    const bytes = Buffer.from(text);
    const blob = {
      digest: digestOf(bytes),
      size: bytes.length,
      async *read() {
        yield bytes;
      },
    };
    await uploader.blob(blob, undefined, () => {});
    return { digest: blob.digest, size: blob.size };
  };
  const layers = [];
  for (const { key, text } of signed) {
    layers.push({
      mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
      ...(await put(text)),
      annotations: {
        "dev.cosignproject.cosign/signature": sign("sha256", Buffer.from(text), key.privateKey).toString(
          "base64",
        ),
      },
    });
  }
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", ...(await put("{}")) };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType, config, layers });
  if (signed.length > 0) {
    await uploader.manifest(Buffer.from(manifest), mediaType, `sha256-${image.manifestDigest.slice(7)}.sig`);
  }
  return `${registry.host}/${repository}:1`;
}

let policies = 0;
const policy = (content: unknown): string => {
  policies += 1;
  const file = join(shared, `policy-${policies}.json`);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
};
const signedBy = (more: object = { signedIdentity: { type: "matchRepository" } }) => ({
  type: "sigstoreSigned",
  keyPath: join(shared, "ours.pub"),
  ...more,
});
const accept = [{ type: "insecureAcceptAnything" }];

/** "admitted", or why not. */
async function verdict(source: string, policyFile: string): Promise<string> {
  const dataRoot = mkdtempSync(join(tmpdir(), "lxcri-policy-data-"));
  try {
    await obtainImage(source, { dataRoot, policyFile, certsDirs: [] });
    return "admitted";
  } catch (error) {
    // nothing of a refused image was unpacked
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  } finally {
    rmSync(dataRoot, { recursive: true, force: true });
  }
}

test("the most specific scope decides", async () => {
  const name = await publish("scope/team/app");
  const reject = [{ type: "reject" }];
  const docker = (scopes: object): string => policy({ default: reject, transports: { docker: scopes } });
  expect(await verdict(name, policy({ default: reject }))).toContain("image-refused");
  expect(await verdict(name, docker({ "": accept }))).toBe("admitted");
  for (const scope of [registry.host, `${registry.host}/scope`, `${registry.host}/scope/team/app`, name]) {
    expect(await verdict(name, docker({ [scope]: accept }))).toBe("admitted");
  }
  expect(await verdict(name, docker({ "": accept, [`${registry.host}/scope`]: reject }))).toContain(
    "rejects",
  );
  expect(await verdict(name, docker({ "": reject, [`${registry.host}/scop`]: accept }))).toContain("rejects");
  const layout = `oci:${image.dir}`;
  expect(await verdict(layout, policy({ default: reject }))).toContain("image-refused");
  expect(await verdict(layout, policy({ default: reject, transports: { oci: { [shared]: accept } } }))).toBe(
    "admitted",
  );
  expect(await verdict(layout, policy({ default: [signedBy()] }))).toContain("only registries keep");
});

test("a signature by the right key over the right image admits", async () => {
  const name = `${registry.host}/signed/good`;
  const required = policy({ default: [signedBy()] });
  await publish("signed/good", { key: theirs, text: statement(name) }, { key: ours, text: statement(name) });
  expect(await verdict(`${name}:1`, required)).toBe("admitted");
  const keyData = Buffer.from(readFileSync(join(shared, "ours.pub"))).toString("base64");
  const inline = { type: "sigstoreSigned", keyData, signedIdentity: { type: "matchRepository" } };
  expect(await verdict(`${name}:1`, policy({ default: [inline] }))).toBe("admitted");
});

test.each([
  ["none", "it is not signed", () => []],
  ["of another key", "no key fits", (name: string) => [{ key: theirs, text: statement(name) }]],
  [
    "for another image",
    "is about sha256:",
    (name: string) => [{ key: ours, text: statement(name, digestOf("x")) }],
  ],
  ["for another name", "is about", () => [{ key: ours, text: statement("example.org/other") }]],
  [
    "of another kind",
    "not about an image",
    (name: string) => [{ key: ours, text: statement(name, undefined, "x") }],
  ],
  ["over garbage", "not about an image", () => [{ key: ours, text: "garbage" }]],
] as const)("a signature %s does not", async (what, why, signatures) => {
  const repository = `unsigned/${what.replaceAll(" ", "-")}`;
  const name = await publish(repository, ...signatures(`${registry.host}/${repository}`));
  const said = await verdict(name, policy({ default: [signedBy()] }));
  expect(said).toContain("image-refused");
  expect(said).toContain(why);
});

test("the name in the signature must match as the policy says", async () => {
  const repository = `${registry.host}/identity/app`;
  await publish("identity/app", { key: ours, text: statement(`${repository}:1`) });
  const tagged = `${repository}:1`;
  const byDigest = `${repository}@${image.manifestDigest}`;
  const cases: [object | undefined, string, boolean][] = [
    [undefined, tagged, true],
    [undefined, byDigest, true],
    [{ type: "matchExact" }, tagged, true],
    [{ type: "matchExact" }, byDigest, false],
    [{ type: "exactReference", dockerReference: tagged }, byDigest, true],
    [{ type: "exactReference", dockerReference: `${repository}:2` }, tagged, false],
    [{ type: "exactRepository", dockerRepository: repository }, tagged, true],
    [{ type: "exactRepository", dockerRepository: "example.org/x" }, tagged, false],
    [{ type: "remapIdentity", prefix: repository, signedPrefix: "example.org/x" }, tagged, false],
    [{ type: "remapIdentity", prefix: "example.org", signedPrefix: "example.com" }, tagged, true],
  ];
  for (const [signedIdentity, name, admitted] of cases) {
    const said = await verdict(name, policy({ default: [signedBy(signedIdentity && { signedIdentity })] }));
    expect([signedIdentity, name, said === "admitted"]).toEqual([signedIdentity, name, admitted]);
  }
});

test.each([
  ["nothing", "{"],
  ["a list", "[]"],
  ["no default", {}],
  ["an empty default", { default: [] }],
  ["a requirement that is none", { default: ["x"] }],
  ["a key that is missing", { default: [{ type: "sigstoreSigned", keyPath: "/nonexistent" }] }],
  ["no key", { default: [{ type: "sigstoreSigned" }] }],
  [
    "an unknown identity",
    { default: [{ type: "sigstoreSigned", keyData: "eA==", signedIdentity: { type: "x" } }] },
  ],
  ["transports that are none", { default: accept, transports: [] }],
])("a policy with %s refuses everything", async (_, content) => {
  const name = `${registry.host}/never/asked:1`;
  expect(await verdict(`oci:${image.dir}`, policy(content))).toContain("policy-invalid");
  expect(await verdict(name, join(shared, "no-such-policy"))).toContain("no such file");
});

test("what cannot be verified is refused by name", async () => {
  const gpg = policy({ default: [{ type: "signedBy", keyType: "GPGKeys", keyPath: "/x" }] });
  expect(await verdict(`oci:${image.dir}`, gpg)).toContain("signedBy");
  const fulcio = policy({ default: [signedBy({ fulcio: {} })] });
  expect(await verdict(`oci:${image.dir}`, fulcio)).toContain("fulcio");
  writeFileSync(join(shared, "bad.pub"), "no key");
  const name = await publish("bad/key", { key: ours, text: statement(`${registry.host}/bad/key`) });
  const bad = policy({ default: [{ ...signedBy(), keyPath: join(shared, "bad.pub") }] });
  expect(await verdict(name, bad)).toContain("no public key");
});
