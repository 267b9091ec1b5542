// A web server of the test for what hosts download: files in memory, by name.
import { createServer } from "node:http";
import { ensureDocker } from "../hosts/docker";

export interface FileServer {
  /** Files by name; more can be added while it runs. */
  files: Map<string, Buffer>;
  /** Where test hosts find a file. */
  urlForHosts(name: string): string;
  stop(): Promise<void>;
}

/**
 * Listens where containers reach this machine and nobody else does, or on loopback where Docker runs in a machine of
 * its own.
 */
export async function startFileServer(): Promise<FileServer> {
  const address = process.platform === "linux" ? await (await ensureDocker()).gateway() : "127.0.0.1";
  const files = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const content = files.get((request.url ?? "/").slice(1));
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, address, resolve));
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const host = address === "127.0.0.1" ? "host.docker.internal" : address;
  return {
    files,
    urlForHosts: name => `http://${host}:${port}/${name}`,
    stop: () =>
      new Promise(resolve => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
