import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../spec/digest.ts";
import { ContentStore } from "../content/content-store.ts";
import { parseReference } from "../reference.ts";
import { type Challenge, parseChallenges } from "./auth.ts";
import { RegistryClient, type RegistrySettings } from "./client.ts";
import type { RegistryError } from "./registry-error.ts";
import { delayAfter, parseRetryAfter } from "./retry.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let servers: Server[] = [];
let dataRoot: string;
beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "lxcri-registry-"));
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
  rmSync(dataRoot, { recursive: true, force: true });
});

/** A server on a free loopback port; its `host:port`. */
const serve = (handler: Handler): Promise<string> =>
  new Promise((resolve) => {
    const server = createServer(handler);
    servers.push(server);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(`127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
    });
  });

const FAST: RegistrySettings = {
  retries: { attempts: 4, delay: 1, maxDelay: 50 },
  limits: { answer: 300, stall: 300 },
};

const client = (host: string, settings: RegistrySettings = {}): RegistryClient =>
  new RegistryClient(parseReference(`${host}/app:v1`), { ...FAST, ...settings });

const MANIFEST = JSON.stringify({ schemaVersion: 2, layers: [] });
const failure = (promise: Promise<unknown>): Promise<RegistryError> =>
  promise.then(
    () => new Error("nothing failed"),
    (error: unknown) => error,
  ) as Promise<RegistryError>;

const BLOB = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) & 0xff));
const wanted = { digest: digestOf(BLOB), size: BLOB.length };

/** Pulls {@link BLOB} into a store; what is in the store afterwards. */
async function pull(host: string, signal?: AbortSignal): Promise<Buffer> {
  const store = new ContentStore(dataRoot);
  await store.ensure(wanted, client(host).blob(wanted.digest), () => {}, signal);
  return readFileSync(store.pathOf(wanted.digest));
}

const rangeStart = (request: IncomingMessage): number =>
  Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);

/** Sends the blob from `start` on, but only `count` bytes before the connection breaks. */
function sendBroken(response: ServerResponse, start: number, count: number): void {
  response.writeHead(start === 0 ? 200 : 206, {
    "Content-Length": BLOB.length - start,
    ...(start === 0 ? {} : { "Content-Range": `bytes ${start}-${BLOB.length - 1}/${BLOB.length}` }),
  });
  response.write(BLOB.subarray(start, start + count), () => setTimeout(() => response.destroy(), 20));
}

describe("tokens", () => {
  test("an anonymous one is fetched once and used for all", async () => {
    let tokens = 0;
    const host = await serve((request, response) => {
      const url = new URL(request.url ?? "", `http://${request.headers.host}`);
      if (url.pathname === "/token") {
        tokens += 1;
        expect(url.searchParams.get("scope")).toBe("repository:app:pull");
        expect(url.searchParams.get("service")).toBe('the "one"');
        response.end(JSON.stringify({ access_token: "s3cret" }));
      } else if (request.headers.authorization === "Bearer s3cret") response.end(MANIFEST);
      else {
        const realm = `Bearer realm="http://${request.headers.host}/token",service="the \\"one\\"",scope="x"`;
        response.writeHead(401, { "WWW-Authenticate": realm }).end();
      }
    });
    const registry = client(host);
    expect((await registry.manifest("v1")).digest).toBe(digestOf(MANIFEST));
    await registry.manifest("v1");
    expect(tokens).toBe(1);
  });

  test("never go along to another server", async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(BLOB);
    });
    const host = await serve((request, response) => {
      const path = new URL(request.url ?? "", "http://x").pathname;
      if (path === "/token") response.end(JSON.stringify({ token: "s3cret" }));
      else if (request.headers.authorization === undefined) {
        response
          .writeHead(401, { "WWW-Authenticate": `Bearer realm="http://${request.headers.host}/token"` })
          .end();
      } else if (path === "/moved") {
        seen.push(request.headers.authorization);
        response.writeHead(302, { Location: `http://${other}/blob` }).end();
      } else response.writeHead(307, { Location: "/moved" }).end();
    });
    expect(await pull(host)).toEqual(BLOB);
    expect(seen).toEqual(["Bearer s3cret", undefined]);
  });

  test("a refusal with and without them is told", async () => {
    const host = await serve((request, response) => {
      if (request.url?.startsWith("/token")) response.end(JSON.stringify({ token: "bad" }));
      else
        response
          .writeHead(401, { "WWW-Authenticate": `Bearer realm="http://${request.headers.host}/token"` })
          .end();
    });
    expect((await failure(client(host).manifest("v1"))).code).toBe("registry-unauthorized");
    const basic = await serve((_, response) =>
      response.writeHead(401, { "WWW-Authenticate": "Basic realm=x" }).end(),
    );
    expect((await failure(client(basic).manifest("v1"))).code).toBe("registry-unauthorized");
  });

  test.each([
    ["no address", 'Bearer realm="nonsense"', ""],
    ["a file", 'Bearer realm="file:///etc/passwd"', ""],
    ["plain http elsewhere", 'Bearer realm="http://registry.invalid/token"', ""],
    ["no JSON", "own", "<html>"],
    ["no token", "own", '{"token":5}'],
    ["a header in a header", "own", '{"token":"a\\r\\nX: y"}'],
  ])("from %s is refused", async (_, challenge, answer) => {
    const host = await serve((request, response) => {
      const realm = challenge === "own" ? `Bearer realm="http://${request.headers.host}/token"` : challenge;
      if (request.url?.startsWith("/token")) response.end(answer);
      else response.writeHead(401, { "WWW-Authenticate": realm }).end();
    });
    expect((await failure(client(host).manifest("v1"))).code).toBe("registry-answer-invalid");
  });

  test("challenges of all forms are read", () => {
    const cases: Record<string, Challenge[]> = {
      'Bearer realm="https://a/t",service="s"': [
        { scheme: "bearer", parameters: { realm: "https://a/t", service: "s" } },
      ],
      'Basic realm="x", Bearer realm="y" , scope=z': [
        { scheme: "basic", parameters: { realm: "x" } },
        { scheme: "bearer", parameters: { realm: "y", scope: "z" } },
      ],
      Negotiate: [{ scheme: "negotiate", parameters: {} }],
      "": [],
      '="': [],
    };
    for (const [header, expected] of Object.entries(cases)) expect(parseChallenges(header)).toEqual(expected);
  });
});

describe("blobs", () => {
  test("go on where a connection broke", async () => {
    const starts: number[] = [];
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      const start = rangeStart(request);
      starts.push(start);
      sendBroken(response, start, 100_000);
    });
    expect(await pull(host)).toEqual(BLOB);
    expect(starts[0]).toBe(0);
    expect(starts.length).toBeGreaterThanOrEqual(3);
    for (let i = 1; i < starts.length; i += 1) expect(starts[i]).toBeGreaterThan(starts[i - 1] ?? 0);
  });

  test("begin anew where the server cannot skip", async () => {
    let requests = 0;
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      requests += 1;
      if (requests === 1) sendBroken(response, 0, 100_000);
      else response.end(BLOB);
    });
    expect(await pull(host)).toEqual(BLOB);
  });

  test("go on in the next try after an abort", async () => {
    const starts: number[] = [];
    const stop = new AbortController();
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      const start = rangeStart(request);
      starts.push(start);
      if (start === 0) {
        response.writeHead(200, { "Content-Length": BLOB.length });
        response.write(BLOB.subarray(0, 200_000));
        setTimeout(() => stop.abort(new Error("enough")), 100);
      } else {
        response.writeHead(206, { "Content-Range": `bytes ${start}-${BLOB.length - 1}/${BLOB.length}` });
        response.end(BLOB.subarray(start));
      }
    });
    expect((await failure(pull(host, stop.signal))).message).toBe("enough");
    expect(await pull(host)).toEqual(BLOB);
    expect(starts).toEqual([0, 200_000]);
  });

  test("with a wrong byte are refused, and the next try starts clean", async () => {
    let wrong = true;
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      const bytes = Buffer.from(BLOB);
      if (wrong) bytes[5] = 1;
      response.end(bytes);
    });
    expect((await failure(pull(host))).code).toBe("blob-digest-mismatch");
    expect(readdirSync(join(dataRoot, "content/ingest"))).toEqual([]);
    wrong = false;
    expect(await pull(host)).toEqual(BLOB);
  });

  test("longer than said are cut off", async () => {
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      response.end(Buffer.concat([BLOB, BLOB]));
    });
    expect((await failure(pull(host))).code).toBe("blob-size-mismatch");
  });

  test("that stall end with a time-out", async () => {
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      response.writeHead(200, { "Content-Length": BLOB.length });
      response.write(BLOB.subarray(0, 10));
    });
    expect((await failure(pull(host))).code).toBe("registry-timeout");
  });
});

describe("manifests", () => {
  test("are asked for again after 429, 503 and a broken connection, waiting as told", async () => {
    const times: number[] = [];
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      times.push(performance.now());
      if (times.length === 1) response.writeHead(429, { "Retry-After": "1" }).end();
      else if (times.length === 2) response.writeHead(503).end();
      else if (times.length === 3) request.socket.destroy();
      else response.end(MANIFEST);
    });
    const patient = { ...FAST, retries: { attempts: 4, delay: 1, maxDelay: 5000 } };
    await client(host, patient).manifest("v1");
    expect(times.length).toBe(4);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(950);
  });

  test("are given up after the last try, or at once where that is no use", async () => {
    const requests: string[] = [];
    const host = await serve((request, response) => {
      if (request.url === "/v2/") return void response.end();
      requests.push(request.url ?? "");
      response.writeHead(request.url?.endsWith("busy") ? 500 : 400).end();
    });
    expect((await failure(client(host).manifest("busy"))).code).toBe("registry-failed");
    expect(requests.length).toBe(4);
    expect((await failure(client(host).manifest("wrong"))).code).toBe("registry-failed");
    expect(requests.length).toBe(5);
  });

  const refused: Record<string, [string, Handler]> = {
    "larger than 4 MiB": [
      "registry-too-large",
      (_, response) => void response.end(Buffer.alloc(5 << 20, 32)),
    ],
    "with another digest": ["registry-answer-invalid", (_, response) => void response.end("{}")],
    "behind endless redirects": [
      "registry-answer-invalid",
      (request, response) => void response.writeHead(302, { Location: request.url ?? "" }).end(),
    ],
    "behind a file": [
      "registry-answer-invalid",
      (_, response) => void response.writeHead(302, { Location: "file:///etc/passwd" }).end(),
    ],
    "that never come": ["registry-timeout", () => {}],
  };
  test.each(Object.entries(refused))("%s are refused", async (_, [code, handler]) => {
    const host = await serve((request, response) => {
      if (request.url === "/v2/") response.end();
      else handler(request, response);
    });
    expect((await failure(client(host).manifest(digestOf("x")))).code).toBe(code);
  });

  test("from where nobody listens", async () => {
    const host = await serve(() => {});
    servers[0]?.close();
    servers[0]?.closeAllConnections();
    expect((await failure(client(host).manifest("v1"))).code).toBe("registry-unreachable");
  });

  test("plain http is for loopback, or where it is allowed", async () => {
    let plain = 0;
    const host = await serve((_, response) => {
      plain += 1;
      response.end(MANIFEST);
    });
    const port = host.split(":")[1];
    const once = { retries: { attempts: 1, delay: 1, maxDelay: 1 } };
    // another name of loopback that is none by its looks
    const far = `0.0.0.0:${port}`;
    expect((await failure(client(far, once).manifest("v1"))).code).toBe("registry-unreachable");
    expect(plain).toBe(0);
    await client(far, { ...once, insecure: true }).manifest("v1");
    expect(plain).toBeGreaterThan(0);
  });
});

test("waits grow, vary and are bounded", () => {
  const policy = { attempts: 9, delay: 100, maxDelay: 1000 };
  for (let i = 0; i < 50; i += 1) {
    expect(delayAfter(1, undefined, policy)).toBeWithin(50, 151);
    expect(delayAfter(3, undefined, policy)).toBeWithin(200, 601);
    expect(delayAfter(9, undefined, policy)).toBe(1000);
  }
  expect(delayAfter(1, 700, policy)).toBe(700);
  expect(delayAfter(1, 99_000, policy)).toBe(1000);
  expect(parseRetryAfter("2")).toBe(2000);
  expect(parseRetryAfter("Thu, 01 Jan 1970 00:00:05 GMT", 2000)).toBe(3000);
  expect(parseRetryAfter("soon")).toBeUndefined();
  expect(parseRetryAfter(null)).toBeUndefined();
});
