// What answers on a Prometheus port when it is no healthy Prometheus: for answers that the real one does not give on
// request.
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** An answer as the stub sends it. */
export interface StubAnswer {
  status: number;
  body: string;
  type?: string;
  /** Takes the request and never answers. */
  silent?: boolean;
}

export interface PrometheusStub {
  url: string;
  /** `METHOD path` of each request so far. */
  requests: string[];
  /** From now on `path` is answered like this. */
  answer(path: string, answer: StubAnswer): void;
  /** Healthy again. */
  reset(): void;
  stop(): Promise<void>;
}

const json = (data: unknown): StubAnswer => ({
  status: 200,
  type: "application/json",
  body: JSON.stringify({ status: "success", data }),
});

/** The answers of a healthy 2.42 with the admin API on whose data lies in `dataDirectory`. */
function healthy(dataDirectory: string): Map<string, StubAnswer> {
  return new Map([
    ["/-/ready", { status: 200, body: "Prometheus Server is Ready.\n" }],
    ["/api/v1/status/buildinfo", json({ version: "2.42.0" })],
    [
      "/api/v1/status/flags",
      json({
        "storage.tsdb.path": dataDirectory,
        "web.enable-admin-api": "true",
        "storage.tsdb.retention.size": "0B",
        "web.listen-address": "127.0.0.1:9090",
        "config.file": "/etc/prometheus/prometheus.yml",
      }),
    ],
    ["/api/v1/status/runtimeinfo", json({ storageRetention: "15d", CWD: "/" })],
    ["/api/v1/status/config", json({ yaml: "global:\n  scrape_interval: 15s\n" })],
  ]);
}

/** A stand-in on `address` that answers like a healthy server until told otherwise. */
export async function startPrometheusStub(address: string, dataDirectory: string): Promise<PrometheusStub> {
  let answers = healthy(dataDirectory);
  const requests: string[] = [];
  const server = createHttpServer((incoming, outgoing) => {
    const path = (incoming.url ?? "/").replace(/\?.*/s, "");
    requests.push(`${incoming.method ?? ""} ${path}`);
    incoming.resume();
    const answer = answers.get(path) ?? { status: 404, body: "404 page not found\n" };
    if (answer.silent !== true) {
      send(outgoing, answer);
    }
  });
  const url = await listen(server, address);
  return {
    url,
    requests,
    answer: (path, answer) => void answers.set(path, answer),
    reset: () => {
      answers = healthy(dataDirectory);
    },
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Takes connections and never says a word. */
export async function startSilentServer(address: string): Promise<{ url: string; stop(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer(socket => {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => open.delete(socket));
  });
  const url = await listen(server, address);
  return {
    url,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        open.forEach(socket => socket.destroy());
      }),
  };
}

async function listen(server: Server, address: string): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, address, resolve));
  return `http://${address}:${(server.address() as AddressInfo).port}`;
}

function send(outgoing: ServerResponse, { status, body, type = "text/plain" }: StubAnswer): void {
  outgoing.writeHead(status, { "content-type": type });
  outgoing.end(body);
}
