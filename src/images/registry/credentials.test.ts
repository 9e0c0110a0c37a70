import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseReference } from "../reference.ts";
import { RegistryClient } from "./client.ts";
import { type Credentials, defaultAuthFiles, findCredentials } from "./credentials.ts";

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lxcri-auth-"));
});
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
function file(content: unknown): string {
  files += 1;
  const path = join(folder, `${files}.json`);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}
const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString("base64") });
const basic = (username: string, password: string): Credentials => ({ kind: "basic", username, password });

describe("files", () => {
  test("the most specific key counts, in the first file that has one", async () => {
    const first = file({ auths: { "r.example": auth("host:1"), "r.example/team": auth("team:2") } });
    const second = file({ auths: { "r.example/team/app": auth("app:3"), "s.example": auth("s:4") } });
    const find = (registry: string, repository: string): Promise<Credentials | undefined> =>
      findCredentials(registry, repository, [join(folder, "none"), first, second]);
    expect(await find("r.example", "team/app")).toEqual(basic("team", "2"));
    expect(await find("r.example", "teams")).toEqual(basic("host", "1"));
    expect(await find("s.example", "x")).toEqual(basic("s", "4"));
    expect(await find("other.example", "x")).toBeUndefined();
  });

  test("Docker's spellings: addresses, Docker Hub, tokens, entries that a store keeps", async () => {
    const path = file({
      auths: {
        "https://old.example/v2/": auth("old:pass:with:colons"),
        "https://index.docker.io/v1/": auth("hub:1"),
        "token.example": { ...auth("<token>:"), identitytoken: "refresh" },
        "stored.example": {},
      },
    });
    expect(await findCredentials("old.example", "a", [path])).toEqual(basic("old", "pass:with:colons"));
    expect(await findCredentials("docker.io", "library/a", [path])).toEqual(basic("hub", "1"));
    expect(await findCredentials("token.example", "a", [path])).toEqual({
      kind: "identity",
      token: "refresh",
    });
    expect(await findCredentials("stored.example", "a", [path])).toBeUndefined();
  });

  test.each([
    '{"auths": {"a": "secr',
    "[]",
    '{"auths": 5}',
    '{"auths": {"a": 5}}',
    '{"auths": {"a": {"auth": "eA=="}}}',
  ])("%s is refused by name, without a word of its content", async (content) => {
    const path = file(content);
    const error = await findCredentials("a", "x", [path]).catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: "auth-file-invalid" });
    expect(String(error)).toContain(path);
    expect(String(error)).not.toContain("secr");
  });

  test("are looked for where podman and Docker keep them", () => {
    expect(defaultAuthFiles({ REGISTRY_AUTH_FILE: "/a" })).toEqual(["/a"]);
    expect(defaultAuthFiles({ HOME: "/root" })).toEqual([
      "/run/containers/0/auth.json",
      "/root/.config/containers/auth.json",
      "/root/.docker/config.json",
      "/etc/containers/auth.json",
    ]);
    expect(defaultAuthFiles({ DOCKER_CONFIG: "/d", XDG_RUNTIME_DIR: "/r" })).toEqual([
      "/r/containers/auth.json",
      "/run/containers/0/auth.json",
      "/d/config.json",
      "/etc/containers/auth.json",
    ]);
  });
});

describe("tokens", () => {
  /** A registry that wants tokens; what its token server was asked. */
  async function registry(seen: string[]): Promise<string> {
    const made = createServer((request, response) => {
      const url = new URL(request.url ?? "", "http://x");
      if (url.pathname === "/token") {
        let body = "";
        request.on("data", (piece) => {
          body += piece;
        });
        request.on("end", () => {
          seen.push(`${request.method} ${url.searchParams} ${request.headers.authorization ?? "-"} ${body}`);
          response.end(JSON.stringify({ access_token: "given" }));
        });
      } else if (request.headers.authorization === "Bearer given") response.end("{}");
      else {
        const realm = `Bearer realm="http://${request.headers.host}/token",service="s"`;
        response.writeHead(401, { "WWW-Authenticate": realm }).end();
      }
    });
    server = made;
    await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
    const address = made.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }
  const pull = async (credentials: Credentials): Promise<string[]> => {
    const seen: string[] = [];
    const host = await registry(seen);
    const client = new RegistryClient(parseReference(`${host}/app:1`), { credentials, certsDirs: [] });
    await client.manifest("1");
    return seen;
  };

  test("are got with a password", async () => {
    const [asked] = await pull(basic("me", "pä:ss"));
    const header = Buffer.from("me:pä:ss").toString("base64");
    expect(asked).toBe(`GET service=s&scope=repository%3Aapp%3Apull&account=me Basic ${header} `);
  });

  test("are got for an identity token, as OAuth has it", async () => {
    const [asked] = await pull({ kind: "identity", token: "refresh" });
    expect(asked).toStartWith("POST  - grant_type=refresh_token&client_id=proxmox-lxcri&service=s&scope=");
    expect(asked).toEndWith("refresh_token=refresh");
  });

  test("that are there already are sent as they are", async () => {
    expect(await pull({ kind: "bearer", token: "given" })).toEqual([]);
  });
});
