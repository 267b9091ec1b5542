// An SSH server inside the test process that runs what it is told with bash: enough for one command, no host needed.
import { spawn } from "node:child_process";
import type { AddressInfo } from "node:net";
import { Server, utils, type Connection } from "ssh2";
import { newKey, type KeyPair } from "../hosts/sshKey";

export interface SshServer {
  port: number;
  hostKey: string;
  /** The one key that may log in, as user `deploy`. */
  client: KeyPair;
  connections(): number;
  close(): Promise<void>;
}

export async function startSshServer(): Promise<SshServer> {
  const host = newKey();
  const client = newKey();
  const allowed = utils.parseKey(client.publicKey);
  if (allowed instanceof Error) {
    throw allowed;
  }
  const connections: Connection[] = [];
  const server = new Server({ hostKeys: [host.privateKey] }, connection => {
    connections.push(connection);
    connection.on("error", () => undefined);
    connection.on("authentication", context => {
      const isKnown =
        context.method === "publickey" &&
        context.username === "deploy" &&
        context.key.data.equals(allowed.getPublicSSH());
      const isSigned =
        context.method === "publickey" &&
        (context.signature === undefined ||
          allowed.verify(context.blob as Buffer, context.signature, context.hashAlgo) === true);
      if (isKnown && isSigned) {
        context.accept();
      } else {
        context.reject(["publickey"]);
      }
    });
    connection.on("session", accept => {
      accept().on("exec", (acceptExec, _reject, { command }) => {
        const channel = acceptExec();
        const child = spawn("bash", ["-c", command]);
        channel.pipe(child.stdin);
        child.stdin.on("error", () => undefined);
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        child.on("close", code => {
          channel.exit(code ?? 1);
          channel.end();
        });
      });
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hostKey: host.publicKey.split(" ").slice(0, 2).join(" "),
    client,
    connections: () => connections.length,
    close: () => {
      // Clients leave theirs open, as the official plugin does, and the server would wait for them.
      connections.forEach(connection => connection.end());
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}
