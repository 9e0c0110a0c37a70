/** HTTP requests with what `fetch` leaves open: time limits, size limits, redirects that keep secrets at home. */
import { rootCertificates } from "node:tls";
import { errnoOf, messageOf } from "../../host/errors.ts";
import { RegistryError } from "./registry-error.ts";
import { parseRetryAfter } from "./retry.ts";

/** How long an answer, or the next piece of one, may take, ms. */
export interface HttpLimits {
  readonly answer: number;
  readonly stall: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = { answer: 30_000, stall: 30_000 };

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** An answer whose body is read with {@link pieces} or {@link readAll}, or dropped with {@link drop}. */
export interface Answer {
  readonly url: URL;
  readonly response: Response;
  /** Ends the request when aborted. */
  readonly controller: AbortController;
}

/** Loopback names and addresses. */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);

const timedOut = (url: URL, ms: number): RegistryError =>
  new RegistryError("registry-timeout", `${url.origin}: no answer within ${ms} ms`, { transient: true });

const brokenOff = (url: URL, cause: unknown): RegistryError => {
  const untrusted = isUntrusted(cause);
  return new RegistryError("registry-unreachable", `${url.origin}: ${messageOf(cause)}`, {
    cause,
    transient: !untrusted,
    ...(untrusted
      ? { fix: "Its authority's certificate goes to /etc/containers/certs.d/<registry>/ca.crt." }
      : {}),
  });
};

/** A certificate that does not hold: nothing that time heals. */
export const isUntrusted = (cause: unknown): boolean =>
  /certificate/i.test(messageOf(cause)) || /CERT|ALTNAME/.test(errnoOf(cause) ?? "");

/** What a connection is secured with; PEM texts. */
export interface TlsSettings {
  /** Authorities trusted beside the system's. */
  readonly ca: readonly string[];
  readonly certificate?: string;
  readonly key?: string;
  /** The server may be anybody. */
  readonly skipVerify: boolean;
}

export const SYSTEM_TLS: TlsSettings = { ca: [], skipVerify: false };

/** One request. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** A body that is made piece by piece; `Content-Length` must be among the headers. */
  readonly stream?: () => AsyncIterable<Uint8Array>;
  readonly tls?: TlsSettings;
}

/** A GET; see {@link send}. */
export const get = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  limits: HttpLimits,
  signal?: AbortSignal,
  tls: TlsSettings = SYSTEM_TLS,
): Promise<Answer> => send({ method: "GET", url, headers, tls }, limits, signal);

/**
 * Sends a request. GET and HEAD follow redirects: never from https to http, and without `Authorization` (and
 * a client certificate) once the origin is another.
 * @throws RegistryError; the signal's reason
 */
export async function send(request: HttpRequest, limits: HttpLimits, signal?: AbortSignal): Promise<Answer> {
  let at = request;
  const follows = request.method === "GET" || request.method === "HEAD";
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const answer = await sendOnce(at, limits, signal);
    const location = answer.response.headers.get("location");
    if (!follows || !REDIRECTS.has(answer.response.status) || location === null) return answer;
    await drop(answer);
    at = redirected(at, location);
  }
  throw new RegistryError("registry-answer-invalid", `${request.url.origin}: redirects without end`);
}

function redirected(from: HttpRequest, location: string): HttpRequest {
  const { url } = from;
  const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
  if (next === undefined || !["http:", "https:"].includes(next.protocol)) {
    throw new RegistryError("registry-answer-invalid", `${url.origin}: redirects to an unusable address`);
  }
  if (url.protocol === "https:" && next.protocol === "http:") {
    throw new RegistryError("registry-answer-invalid", `${url.origin}: redirects from https to plain http`);
  }
  if (next.origin === url.origin) return { ...from, url: next };
  // secrets stay at home; the authorities may be needed there, too
  const headers: Record<string, string> = {};
  for (const name of ["Accept", "Range", "User-Agent"]) {
    const value = from.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  const { ca = [], skipVerify = false } = from.tls ?? SYSTEM_TLS;
  return { ...from, url: next, headers, tls: { ca, skipVerify } };
}

/** The fetch option of Bun. The authorities of the system are named too, as `ca` alone would replace them. */
function tlsOption({ ca, certificate, key, skipVerify }: TlsSettings): Bun.TLSOptions | undefined {
  if (ca.length === 0 && certificate === undefined && !skipVerify) return undefined;
  return {
    ...(ca.length === 0 ? {} : { ca: [...rootCertificates, ...ca] }),
    ...(certificate === undefined || key === undefined ? {} : { cert: certificate, key }),
    rejectUnauthorized: !skipVerify,
  };
}

async function sendOnce(
  request: HttpRequest,
  limits: HttpLimits,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const { url, method, headers, body, stream } = request;
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(timedOut(url, limits.answer)), limits.answer);
  };
  /** Every piece that the server takes is a sign of life. */
  async function* watched(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      wait();
      yield piece;
    }
  }
  wait();
  const signals = signal === undefined ? [controller.signal] : [controller.signal, signal];
  const tls = tlsOption(request.tls ?? SYSTEM_TLS);
  const sent = stream === undefined ? body : watched(stream());
  try {
    const response = await fetch(url, {
      method,
      headers,
      ...(sent === undefined ? {} : { body: sent }),
      ...(tls === undefined ? {} : { tls }),
      redirect: "manual",
      signal: AbortSignal.any(signals),
      // a blob's digest is of what is sent, whatever Content-Encoding claims
      decompress: false,
    });
    return { url, response, controller };
  } catch (error) {
    signal?.throwIfAborted();
    controller.signal.throwIfAborted();
    throw brokenOff(url, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Gives the body up. */
export async function drop(answer: Answer): Promise<void> {
  await answer.response.body?.cancel().catch(() => {});
}

/** The body as it comes. Ending the loop early ends the request. @throws RegistryError; the signal's reason */
export async function* pieces(
  answer: Answer,
  limits: HttpLimits,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { body } = answer.response;
  if (body === null) return;
  const reader = body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      timer = setTimeout(() => answer.controller.abort(timedOut(answer.url, limits.stall)), limits.stall);
      const { done, value } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      yield value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    answer.controller.signal.throwIfAborted();
    throw brokenOff(answer.url, error);
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => {});
  }
}

/** The whole body. @throws RegistryError `registry-too-large` beyond `limit` bytes */
export async function readAll(
  answer: Answer,
  limit: number,
  limits: HttpLimits,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces(answer, limits, signal)) {
    size += piece.length;
    if (size > limit) {
      throw new RegistryError(
        "registry-too-large",
        `${answer.url.origin}: an answer of more than ${limit} bytes`,
      );
    }
    parts.push(piece);
  }
  return Buffer.concat(parts);
}

/** The error that a status stands for; `what` names the thing asked for. */
export function statusError({ url, response }: Answer, what: string): RegistryError {
  const { status } = response;
  if (status === 404) return new RegistryError("image-not-found", `${what}: not found in ${url.host}`);
  if (status === 401 || status === 403) {
    return new RegistryError("registry-unauthorized", `${what}: ${url.host} refuses it (HTTP ${status})`, {
      fix: "Check the name; a private image needs a login.",
    });
  }
  const retryAfter = parseRetryAfter(response.headers.get("retry-after"));
  return new RegistryError("registry-failed", `${what}: ${url.host} answers HTTP ${status}`, {
    transient: status === 408 || status === 429 || status >= 500,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}
