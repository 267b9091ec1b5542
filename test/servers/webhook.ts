// A server that notes what is sent to it, as an on-call service would be told.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Webhook {
  url: string;
  /** Bodies of the requests, in the order in which they arrived. */
  received: string[];
  stop(): Promise<void>;
}

/** Listens at an address of this machine that the hosts reach. */
export async function startWebhook(bindAddress: string): Promise<Webhook> {
  const received: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      received.push(Buffer.concat(parts).toString("utf8"));
      outgoing.end();
    });
  });
  await new Promise<void>(resolve => server.listen(0, bindAddress, resolve));
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address}:${port}/`,
    received,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
