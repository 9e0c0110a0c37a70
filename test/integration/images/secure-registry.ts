/** A registry with TLS, a password, and, where wanted, client certificates; on a free loopback port. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runChecked } from "../../../src/host/process.ts";
import { freePort } from "../../images/registry.ts";

/** A running registry, and what a client needs. */
export interface SecureRegistry {
  /** `localhost:<port>` */
  readonly host: string;
  readonly username: string;
  readonly password: string;
  /** Files. */
  readonly ca: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
  stop(): Promise<void>;
}

const openssl = (...args: readonly string[]): Promise<unknown> => runChecked(["openssl", ...args]);

/** An authority, and a certificate of it for localhost and for a client. */
async function makeCertificates(dir: string): Promise<void> {
  const at = (name: string): string => join(dir, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    ...["req", "-x509", ...key, "-days", "2", "-subj", "/CN=test authority"],
    ...["-keyout", at("ca.key"), "-out", at("ca.crt")],
  );
  for (const [name, extension] of [
    ["server", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ["client", "extendedKeyUsage=clientAuth"],
  ] as const) {
    writeFileSync(at(`${name}.ext`), `${extension}\n`);
    await openssl(
      ...[
        "req",
        "-new",
        ...key,
        "-subj",
        `/CN=${name}`,
        "-keyout",
        at(`${name}.key`),
        "-out",
        at(`${name}.csr`),
      ],
    );
    await openssl(
      ...["x509", "-req", "-in", at(`${name}.csr`), "-CA", at("ca.crt"), "-CAkey", at("ca.key")],
      ...["-CAcreateserial", "-days", "2", "-extfile", at(`${name}.ext`), "-out", at(`${name}.crt`)],
    );
  }
}

/** Starts it; resolves once it listens. */
export async function startSecureRegistry(
  dir: string,
  options: { readonly clientCertificates?: boolean } = {},
): Promise<SecureRegistry> {
  mkdirSync(dir, { recursive: true });
  await makeCertificates(dir);
  const [username, password] = ["tester", "p:ss wörd"];
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
  writeFileSync(join(dir, "htpasswd"), `${username}:${hash}\n`);
  const port = await freePort();
  const clients = options.clientCertificates === true ? `, clientcas: [${join(dir, "ca.crt")}]` : "";
  writeFileSync(
    join(dir, "config.yml"),
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${join(dir, "data")}}}
http: {addr: "127.0.0.1:${port}", tls: {certificate: ${join(dir, "server.crt")}, key: ${join(dir, "server.key")}${clients}}}
auth: {htpasswd: {realm: test, path: ${join(dir, "htpasswd")}}}
`,
  );
  const child = Bun.spawn(["docker-registry", "serve", join(dir, "config.yml")], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const deadline = Date.now() + 15_000;
  for (;;) {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: { data() {} },
    }).catch(() => undefined);
    socket?.end();
    if (socket !== undefined) break;
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`the registry did not come up (exit code ${child.exitCode})`);
    }
    await Bun.sleep(20);
  }
  return {
    host: `localhost:${port}`,
    username,
    password,
    ca: join(dir, "ca.crt"),
    clientCertificate: join(dir, "client.crt"),
    clientKey: join(dir, "client.key"),
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}
