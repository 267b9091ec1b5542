// A watcher elsewhere, as services for heartbeats are: it writes down every request and answers as it is told.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Watcher {
  url: string;
  /** What it was asked, in order: `GET /ping/key?rid=1`. */
  heard: string[];
  /** The same, and forgets it. */
  take(): string[];
  /** The status of every answer from here on. Starts with 200. */
  answerWith(status: number): void;
  stop(): Promise<void>;
}

export async function startWatcher(address: string): Promise<Watcher> {
  const heard: string[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`);
    response.writeHead(status).end("OK");
  });
  await new Promise<void>(resolve => server.listen(0, address, resolve));
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    heard,
    take: () => heard.splice(0),
    answerWith: next => {
      status = next;
    },
    stop: () => new Promise(resolve => void server.close(() => resolve())),
  };
}
