/** Pull and push with real registries: passwords, certificates, mirrors; skopeo is the other side. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked } from "../../../src/host/process.ts";
import { RegistryUploader } from "../../../src/images/registry/upload.ts";
import { type Digest, digestOf } from "../../../src/spec/digest.ts";
import { type BuiltImage, buildBusyboxImage } from "../../images/build.ts";
import { pushLayout, startRegistry, type TestRegistry } from "../../images/registry.ts";
import { ImageRoom } from "./images.fixture.ts";
import { type SecureRegistry, startSecureRegistry } from "./secure-registry.ts";

setDefaultTimeout(60_000);

let shared: string;
let image: BuiltImage;
let open: TestRegistry;
let secure: SecureRegistry;
beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), "lxcri-registries-"));
  image = buildBusyboxImage(join(shared, "layout"), { extraFiles: { "srv/hello": "hello\n" } });
  open = await startRegistry(join(shared, "open"));
  secure = await startSecureRegistry(join(shared, "secure"), { clientCertificates: true });
  await pushLayout(image.dir, image.tag, open, "team/app:1");
});
afterAll(async () => {
  await open.stop();
  await secure.stop();
  rmSync(shared, { recursive: true, force: true });
});

/** A folder of settings for the secure registry. */
function certsDir(room: ImageRoom, form: "toml" | "docker"): string {
  const folder = room.at("certs.d", secure.host);
  mkdirSync(folder, { recursive: true });
  const put = (name: string, from: string): void => writeFileSync(join(folder, name), readFileSync(from));
  if (form === "docker") {
    put("ca.crt", secure.ca);
    put("client.cert", secure.clientCertificate);
    put("client.key", secure.clientKey);
  } else {
    writeFileSync(
      join(folder, "hosts.toml"),
      `server = "https://${secure.host}"
ca = "${secure.ca}"
client = [["${secure.clientCertificate}", "${secure.clientKey}"]]
`,
    );
  }
  return room.at("certs.d");
}

const creds = (): string => `${secure.username}:${secure.password}`;

describe("a registry with TLS, client certificates and a password", () => {
  test.each(["toml", "docker"] as const)("takes and gives an image, set up the way of %s", async (form) => {
    await using room = new ImageRoom();
    const settings = ["--certs-dir", certsDir(room, form), "--creds", creds()];
    const id = await room.image("import", `oci:${image.dir}:${image.tag}`, "local/app:1");
    expect(id).toBe(image.configDigest);
    const name = `${secure.host}/team/app:${form}`;
    expect(await room.image("push", "--quiet", ...settings, "local/app:1", name)).toBe(image.manifestDigest);
    await using other = new ImageRoom();
    expect(await other.image("pull", "--quiet", ...settings, name)).toBe(id);
  });

  test("is not believed without its authority, and does not believe us without ours", async () => {
    await using room = new ImageRoom();
    const name = `${secure.host}/team/app:toml`;
    const strange = await room.run("pull", "--creds", creds(), "--certs-dir", room.at("none"), name);
    expect(strange.code).toBe(1);
    expect(strange.stderr).toContain("certificate");
    const bare = room.at("bare", secure.host);
    mkdirSync(bare, { recursive: true });
    writeFileSync(join(bare, "hosts.toml"), `server = "https://${secure.host}"\nca = ["${secure.ca}"]\n`);
    const anonymous = await room.run("pull", "--creds", creds(), "--certs-dir", room.at("bare"), name);
    expect(anonymous.code).toBe(1);
    expect(await room.image("ls", "--quiet")).toBe("");
  });

  test("refuses without and with a wrong password", async () => {
    await using room = new ImageRoom();
    const settings = ["--certs-dir", certsDir(room, "toml")];
    for (const more of [[], ["--creds", "tester:wrong"]]) {
      const { code, stderr } = await room.run("pull", ...settings, ...more, `${secure.host}/team/app:toml`);
      expect(code).toBe(1);
      expect(stderr).toContain("HTTP 401");
    }
  });

  test("login keeps what worked only, logout forgets it", async () => {
    await using room = new ImageRoom();
    const settings = ["--certs-dir", certsDir(room, "toml"), "--authfile", room.at("auth.json")];
    const name = `${secure.host}/team/app:toml`;
    const wrong = await room.run("login", ...settings, "-u", secure.username, "-p", "wrong", secure.host);
    expect(wrong.code).toBe(1);
    expect(() => statSync(room.at("auth.json"))).toThrow();
    writeFileSync(
      room.at("auth.json"),
      JSON.stringify({ auths: { "other.example": { auth: "YTpi" } }, x: 1 }),
    );
    await room.image("login", ...settings, "-u", secure.username, "-p", secure.password, secure.host);
    expect(statSync(room.at("auth.json")).mode & 0o777).toBe(0o600);
    await room.image("pull", ...settings, name);
    const content = JSON.parse(readFileSync(room.at("auth.json"), "utf8"));
    expect(content).toMatchObject({ auths: { "other.example": { auth: "YTpi" } }, x: 1 });
    // as skopeo reads it
    const folder = join(certsDir(room, "docker"), secure.host);
    const seen = await runChecked([
      ...["skopeo", "inspect", "--authfile", room.at("auth.json"), "--cert-dir", folder, `docker://${name}`],
    ]);
    expect(JSON.parse(seen.stdout).Digest).toBe(image.manifestDigest);
    const logout = await room.image("logout", "--authfile", room.at("auth.json"), secure.host);
    expect(logout).toContain(room.at("auth.json"));
    expect(Object.keys(JSON.parse(readFileSync(room.at("auth.json"), "utf8")).auths)).toEqual([
      "other.example",
    ]);
    expect((await room.run("pull", ...settings, name)).stderr).toContain("HTTP 401");
  });

  test("is opened by what a credential helper knows", async () => {
    await using room = new ImageRoom();
    mkdirSync(room.at("bin"));
    const helper = room.at("bin/docker-credential-lxcri-test");
    writeFileSync(
      helper,
      `#!/bin/sh
read -r server
[ "$server" = "${secure.host}" ] || { echo "credentials not found in native keychain"; exit 1; }
echo '${JSON.stringify({ ServerURL: secure.host, Username: secure.username, Secret: secure.password })}'
`,
    );
    chmodSync(helper, 0o755);
    writeFileSync(room.at("auth.json"), JSON.stringify({ credHelpers: { [secure.host]: "lxcri-test" } }));
    const settings = ["--certs-dir", certsDir(room, "toml"), "--authfile", room.at("auth.json")];
    const pull = async (name: string): Promise<{ code: number; said: string }> => {
      const child = room.start({ PATH: `${room.at("bin")}:${process.env.PATH}` }, "pull", ...settings, name);
      return { said: await new Response(child.stderr).text(), code: await child.exited };
    };
    expect((await pull(`${secure.host}/team/app:toml`)).code).toBe(0);
    writeFileSync(room.at("auth.json"), JSON.stringify({ credsStore: "../../bin/sh" }));
    expect((await pull(`${secure.host}/team/app:docker`)).said).toContain("is no name of a program");
  });
});

describe("mirrors", () => {
  const toml = (room: ImageRoom, text: string): string => {
    mkdirSync(room.at("certs.d/registry.invalid"), { recursive: true });
    writeFileSync(room.at("certs.d/registry.invalid/hosts.toml"), text);
    return room.at("certs.d");
  };

  test("give what the registry has; one that is down is passed over", async () => {
    await using room = new ImageRoom();
    const dir = toml(
      room,
      `server = "https://registry.invalid"
[host."http://127.0.0.1:1"]
  capabilities = ["pull", "resolve"]
[host."http://${open.host}"]
  capabilities = ["pull", "resolve"]
`,
    );
    await room.image("pull", "--certs-dir", dir, "registry.invalid/team/app:1");
    expect((await room.json("ls"))[0].tags).toEqual(["registry.invalid/team/app:1"]);
  });

  test("that may not resolve are not asked for tags, and none are pushed to unasked", async () => {
    await using room = new ImageRoom();
    const dir = toml(
      room,
      `server = "http://127.0.0.1:1"
[host."http://${open.host}"]
  capabilities = ["pull"]
`,
    );
    const refused = await room.run("pull", "--certs-dir", dir, "registry.invalid/team/app:1");
    expect(refused.code).toBe(1);
    await room.image("import", `oci:${image.dir}:${image.tag}`, "registry.invalid/team/app:1");
    const push = await room.run("push", "--certs-dir", dir, "registry.invalid/team/app:1");
    expect(push.stderr).toContain("127.0.0.1:1");
  });

  test.each([
    ["no TOML", "server = "],
    ["a number", "server = 5"],
    ["no address", '[host."http://[bad"]'],
    ["a missing file", 'server = "https://a"\nca = "none.pem"'],
  ])("%s in hosts.toml is told with the file's name", async (_, text) => {
    await using room = new ImageRoom();
    const { code, stderr } = await room.run("pull", "--certs-dir", toml(room, text), "registry.invalid/a");
    expect(code).toBe(1);
    expect(stderr).toContain("certs.d/registry.invalid/hosts.toml");
  });
});

describe("a push", () => {
  test("is what skopeo reads, byte by byte", async () => {
    await using room = new ImageRoom();
    await room.image("pull", `${open.host}/team/app:1`);
    const name = `${open.host}/pushed/app:2`;
    await room.image("push", `${open.host}/team/app:1`, name);
    const raw = await runChecked(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
    expect(digestOf(raw.stdout)).toBe(image.manifestDigest as Digest);
    await runChecked([
      ...["skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false"],
      ...[`docker://${name}`, `oci:${room.at("copied")}:x`],
    ]);
    await runChecked(["umoci", "unpack", "--image", `${room.at("copied")}:x`, room.at("bundle")]);
    expect(readFileSync(room.at("bundle/rootfs/srv/hello"), "utf8")).toBe("hello\n");
  });

  test("sends nothing that the registry has, here or in another repository", async () => {
    const bytes = Buffer.from(`blob ${Math.random()}`);
    let reads = 0;
    const blob = {
      digest: digestOf(bytes),
      size: bytes.length,
      async *read() {
        reads += 1;
        yield bytes;
      },
    };
    const to = (repository: string): RegistryUploader =>
      new RegistryUploader({ registry: open.host, repository }, { certsDirs: [] });
    expect(await to("mount/one").blob(blob, undefined, () => {})).toBe("uploaded");
    expect(await to("mount/one").blob(blob, undefined, () => {})).toBe("present");
    expect(await to("mount/two").blob(blob, "mount/one", () => {})).toBe("mounted");
    expect(await to("mount/three").blob(blob, "mount/nowhere", () => {})).toBe("uploaded");
    expect(reads).toBe(2);
  });

  test("takes what refers to the image along", async () => {
    await using room = new ImageRoom();
    const { dir } = buildBusyboxImage(room.at("layout"), { tag: "v1" });
    const put = (data: string): { digest: string; size: number } => {
      const digest = digestOf(data);
      writeFileSync(join(dir, "blobs/sha256", digest.slice(7)), data);
      return { digest, size: data.length };
    };
    const index = JSON.parse(readFileSync(join(dir, "index.json"), "utf8"));
    const subject = index.manifests[0];
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const artifact = {
      schemaVersion: 2,
      mediaType,
      artifactType: "application/vnd.example.sbom",
      config: { mediaType: "application/vnd.oci.empty.v1+json", ...put("{}") },
      layers: [{ mediaType: "text/plain", ...put("an inventory") }],
      subject: { mediaType, digest: subject.digest, size: subject.size },
    };
    index.manifests.push({ mediaType, ...put(JSON.stringify(artifact)) });
    writeFileSync(join(dir, "index.json"), JSON.stringify(index));
    const pushed = await room.json("push", `oci:${dir}:v1`, `${open.host}/referred/app:1`);
    expect(pushed.referrers).toEqual([digestOf(JSON.stringify(artifact))]);
    // Debian's registry has no referrers interface: the list is kept under a tag
    const tag = `sha256-${subject.digest.slice(7)}`;
    const listed = async (): Promise<unknown[]> => {
      const answer = await fetch(`http://${open.host}/v2/referred/app/manifests/${tag}`, {
        headers: { Accept: "application/vnd.oci.image.index.v1+json" },
      });
      return ((await answer.json()) as { manifests: unknown[] }).manifests;
    };
    const expected = { digest: pushed.referrers[0], artifactType: artifact.artifactType };
    expect(await listed()).toMatchObject([expected]);
    await room.image("push", `oci:${dir}:v1`, `${open.host}/referred/app:1`);
    expect((await listed()).length).toBe(1);
  });
});
