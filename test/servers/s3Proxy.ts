// An S3 server that misbehaves on request: a proxy in front of a real one that cuts, delays, lies and refuses by rule.
// The Host header is passed on as it came, because clients sign it.
import { createHash } from "node:crypto";
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

/** What happens to a request that a rule chose. */
export type Fault =
  /** Passes on so many bytes of the request's body, then drops both connections. */
  | { kind: "cut"; afterBytes: number }
  /** Waits before the request is passed on. */
  | { kind: "delay"; milliseconds: number }
  /** Keeps the request until that is resolved, then passes it on. */
  | { kind: "hold"; until: Promise<void> }
  /** Takes the request and never answers. */
  | { kind: "hang" }
  /** Answers by itself; the server never hears of it. */
  | { kind: "answer"; status: number; code: string }
  /** Lets the server do its work, then answers with an error: stored, but said to have failed. */
  | { kind: "answerAfter"; status: number; code: string }
  /** Passes the body on at so many bytes a second. */
  | { kind: "throttle"; bytesPerSecond: number }
  /** Takes the objects that match out of the answer to a listing. */
  | { kind: "hide"; objects: RegExp };

export interface FaultRule {
  /** Defaults to every method. */
  method?: string;
  /** Compared with the decoded path and query: `/bucket/host/blocks/X.tar.zst?partNumber=1`. */
  path: RegExp;
  /** The first request that is hit, counted from 1 among those that match. Defaults to 1. */
  from?: number;
  /** The last one. Defaults to all that follow. */
  to?: number;
  fault: Fault;
}

export interface ProxiedRequest {
  method: string;
  /** Decoded path without the query. */
  path: string;
  query: string;
  /** Status as the client saw it; 0 when the connection was dropped or never answered. */
  status: number;
  requestBytes: number;
  /** The rule's fault that hit it. */
  fault: Fault["kind"] | "none";
}

export interface S3Proxy {
  endpoint: string;
  /** Every request since the start, in the order in which they arrived. */
  requests: ProxiedRequest[];
  /** Forgets the rules before and starts counting anew. */
  setRules(rules: FaultRule[]): void;
  /**
   * Objects stored through the proxy, one entry a completed upload: small ones by PUT, large ones by their last
   * request.
   */
  stored(): string[];
  stop(): Promise<void>;
}

export interface S3ProxyOptions {
  /** The real server, such as `http://172.17.0.1:9000`. */
  target: string;
  /** Defaults to the address of the target. */
  bindAddress?: string;
  /** Gives whole objects ETags that look like an MD5 and are none, as a bucket with KMS does. Defaults to false. */
  foreignEtags?: boolean;
}

interface ActiveRule extends FaultRule {
  matches: number;
}

export async function startS3Proxy(options: S3ProxyOptions): Promise<S3Proxy> {
  const target = new URL(options.target);
  const requests: ProxiedRequest[] = [];
  let rules: ActiveRule[] = [];
  const server = createServer((incoming, outgoing) => {
    const [path = "", query = ""] = decodeURIComponent(incoming.url ?? "/").split(/\?(.*)/s);
    const method = incoming.method ?? "GET";
    const fault = faultFor(rules, method, query === "" ? path : `${path}?${query}`);
    const entry: ProxiedRequest = { method, path, query, status: 0, requestBytes: 0, fault: fault?.kind ?? "none" };
    requests.push(entry);
    // A client that goes away, or that a rule cut off, is what these tests are about.
    incoming.on("error", () => undefined);
    outgoing.on("error", () => undefined);
    serve({ foreignEtags: options.foreignEtags ?? false, target, incoming, outgoing, entry }, fault).catch(() =>
      outgoing.destroy(),
    );
  });
  await new Promise<void>(resolve => server.listen(0, options.bindAddress ?? target.hostname, resolve));
  const { address, port } = server.address() as AddressInfo;
  return {
    endpoint: `http://${address}:${port}`,
    requests,
    setRules: next => (rules = next.map(rule => ({ ...rule, matches: 0 }))),
    stored: () => requests.filter(isStore).map(request => request.path),
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The first rule that matches decides; each rule counts its own matches. */
function faultFor(rules: ActiveRule[], method: string, url: string): Fault | undefined {
  let fault: Fault | undefined;
  for (const rule of rules) {
    if ((rule.method === undefined || rule.method === method) && rule.path.test(url)) {
      rule.matches += 1;
      const hit = rule.matches >= (rule.from ?? 1) && rule.matches <= (rule.to ?? Infinity);
      if (hit) {
        fault ??= rule.fault;
      }
    }
  }
  return fault;
}

/** Whether the server stored an object with this request, whatever the client was told. */
function isStore({ method, query, status, fault }: ProxiedRequest): boolean {
  const taken = fault === "answerAfter" || (status >= 200 && status < 300);
  const whole =
    (method === "PUT" && !query.includes("partNumber")) || (method === "POST" && query.includes("uploadId"));
  return taken && whole;
}

interface Exchange {
  foreignEtags: boolean;
  target: URL;
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  entry: ProxiedRequest;
}

async function serve(exchange: Exchange, fault: Fault | undefined): Promise<void> {
  switch (fault?.kind) {
    case undefined:
      return passOn(exchange);
    case "delay":
      await pause(fault.milliseconds);
      return passOn(exchange);
    case "hold":
      await fault.until;
      return passOn(exchange);
    case "hang":
      exchange.incoming.resume();
      return;
    case "answer":
      exchange.incoming.resume();
      await ended(exchange.incoming);
      return answerError(exchange, fault);
    case "answerAfter":
      return passOn(exchange, { answer: () => answerError(exchange, fault) });
    case "cut":
      return passOn(exchange, { cutAfter: fault.afterBytes });
    case "throttle":
      return passOn(exchange, { bytesPerSecond: fault.bytesPerSecond });
    case "hide":
      return passOn(exchange, { rewrite: body => hideObjects(body, fault.objects) });
  }
}

interface Changes {
  /** Instead of the server's answer. */
  answer?: () => void;
  cutAfter?: number;
  bytesPerSecond?: number;
  rewrite?: (body: string) => string;
}

async function passOn(
  { foreignEtags, target, incoming, outgoing, entry }: Exchange,
  changes: Changes = {},
): Promise<void> {
  const onward = forward({
    host: target.hostname,
    port: target.port,
    method: incoming.method,
    path: incoming.url,
    // Raw headers keep their case and order; Host stays the one that was signed.
    headers: incoming.rawHeaders,
    setHost: false,
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    onward.on("response", resolve);
    onward.on("error", reject);
  });
  // The error is handled where the answer is awaited; a cut comes earlier.
  answer.catch(() => undefined);
  let sent = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    const rest = changes.cutAfter === undefined ? piece.length : Math.max(0, changes.cutAfter - sent);
    onward.write(piece.subarray(0, rest));
    sent += piece.length;
    entry.requestBytes = sent;
    if (changes.cutAfter !== undefined && sent >= changes.cutAfter) {
      break;
    }
    if (changes.bytesPerSecond !== undefined) {
      await pause((piece.length / changes.bytesPerSecond) * 1000);
    }
  }
  if (changes.cutAfter !== undefined) {
    onward.destroy();
    outgoing.destroy();
    return;
  }
  onward.end();
  const got = await answer;
  if (changes.answer !== undefined) {
    got.resume();
    await ended(got);
    changes.answer();
    return;
  }
  entry.status = got.statusCode ?? 0;
  const { etag } = got.headers;
  // Those of parts come back when the upload is completed.
  if (foreignEtags && etag !== undefined && !entry.query.includes("partNumber")) {
    got.headers.etag = etag.replace(/[0-9a-f]{32}/, sum => createHash("md5").update(sum).digest("hex"));
  }
  await passBack(got, outgoing, changes.rewrite);
}

async function passBack(
  got: IncomingMessage,
  outgoing: ServerResponse,
  rewrite?: (body: string) => string,
): Promise<void> {
  if (rewrite === undefined) {
    outgoing.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(outgoing);
    return;
  }
  const pieces: Buffer[] = [];
  for await (const piece of got as AsyncIterable<Buffer>) {
    pieces.push(piece);
  }
  const { "content-encoding": encoding, ...headers } = got.headers;
  const whole = Buffer.concat(pieces);
  const body = Buffer.from(rewrite((encoding === "gzip" ? gunzipSync(whole) : whole).toString()));
  outgoing.writeHead(got.statusCode ?? 502, { ...headers, "content-length": String(body.length) });
  outgoing.end(body);
}

function answerError({ outgoing, entry }: Exchange, { status, code }: { status: number; code: string }): void {
  entry.status = status;
  outgoing.writeHead(status, { "content-type": "application/xml" });
  outgoing.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>injected by the test</Message></Error>`,
  );
}

function hideObjects(listing: string, objects: RegExp): string {
  return listing.replace(/<Contents>.*?<\/Contents>/gs, entry =>
    objects.test(/<Key>(.*?)<\/Key>/.exec(entry)?.[1] ?? "") ? "" : entry,
  );
}

function ended(stream: IncomingMessage): Promise<void> {
  return new Promise(resolve => {
    if (stream.readableEnded || stream.destroyed) {
      resolve();
    } else {
      stream.once("end", resolve);
      stream.once("close", resolve);
    }
  });
}
