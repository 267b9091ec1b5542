// SSH as the official plugin does it: one new connection for each operation, retried, the host key pinned.
import { appendFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Client, utils, type ConnectConfig } from "ssh2";
import type { Connection } from "./connection";

export interface Output {
  stdout: string;
  stderr: string;
}

/**
 * Names a file that gets one line, `host:port`, for every attempt to connect, so that a test can say "nobody was
 * contacted".
 */
export const DIAL_LOG_VARIABLE = "PROMETHEUS_BACKUP_SSH_LOG";

export type LineListener = (stream: "stdout" | "stderr", line: string) => void;

/**
 * Runs one command and resolves to its output, each without one trailing newline. Rejects in the official plugin's
 * words.
 */
export async function runOverSsh(
  connection: Connection,
  command: string,
  stdin: string,
  onLine: LineListener,
): Promise<Output> {
  const client = await dial(connection);
  return execute(client, command, stdin, onLine);
}

/** Writes one file over sftp, in place, and closes the connection. */
export async function copyOverSsh(connection: Connection, content: Buffer, remotePath: string): Promise<void> {
  const client = await dial(connection);
  try {
    await new Promise<void>((resolve, reject) => {
      client.sftp((error, sftp) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        sftp.writeFile(remotePath, content, failed => {
          if (failed) {
            reject(new Error(`failed to write ${remotePath}: ${failed.message}`));
          } else {
            resolve();
          }
        });
      });
    });
  } finally {
    client.end();
  }
}

async function dial(connection: Connection): Promise<Client> {
  const proxy = connection.proxy;
  if (proxy === undefined) {
    return retry(connection.dialErrorLimit, () => dialOnce(connection));
  }
  const bastion = await retry(proxy.dialErrorLimit, () => dialOnce(proxy));
  return retry(connection.dialErrorLimit, async () => logIn(connection, await throughBastion(bastion, connection)));
}

/** The official pauses: 0.1 s, then half as long again each time, 5 s at most. A limit of -1 means for ever. */
async function retry<T>(limit: number, attempt: () => Promise<T>): Promise<T> {
  let pause = 100;
  for (let failed = 0; ; failed++) {
    try {
      return await attempt();
    } catch (error) {
      if (limit >= 0 && failed + 1 > limit) {
        throw new Error(`after ${failed} failed attempts: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    await new Promise(resolve => setTimeout(resolve, pause));
    pause = Math.min(pause * 1.5, 5000);
  }
}

async function dialOnce(connection: Connection): Promise<Client> {
  const log = process.env[DIAL_LOG_VARIABLE];
  if (log !== undefined && log !== "") {
    appendFileSync(log, `${connection.host}:${connection.port}\n`);
  }
  return logIn(connection, await openSocket(connection));
}

function openSocket({ host, port, perDialTimeout }: Connection): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port });
    const timer = setTimeout(
      () => socket.destroy(new Error("i/o timeout")),
      perDialTimeout > 0 ? perDialTimeout * 1000 : 2 ** 31 - 1,
    );
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", error => {
      clearTimeout(timer);
      const code = (error as NodeJS.ErrnoException).code;
      const words: Record<string, string> = {
        ECONNREFUSED: "connect: connection refused",
        EHOSTUNREACH: "connect: no route to host",
        ENETUNREACH: "connect: network is unreachable",
      };
      reject(
        new Error(
          code === "ENOTFOUND"
            ? `dial tcp: lookup ${host}: no such host`
            : `dial tcp ${host}:${port}: ${words[code ?? ""] ?? error.message}`,
        ),
      );
    });
  });
}

function throughBastion(bastion: Client, { host, port }: Connection): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    bastion.forwardOut("127.0.0.1", 0, host, port, (error, stream) => {
      if (error === undefined) {
        resolve(stream);
      } else {
        reject(error);
      }
    });
  });
}

function logIn(connection: Connection, socket: Duplex): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    let wrongKey = false;
    const fail = (error: Error & { level?: string }): void => {
      client.end();
      reject(new Error(`ssh: handshake failed: ${reason(error, wrongKey)}`));
    };
    client.once("ready", () => {
      client.removeListener("error", fail);
      client.on("error", () => undefined);
      resolve(client);
    });
    client.once("error", fail);
    try {
      client.connect({
        ...credentials(connection),
        sock: socket,
        readyTimeout: 60_000,
        hostVerifier: (key: Buffer) => {
          wrongKey = connection.hostKey !== undefined && !isSameKey(connection.hostKey, key);
          return !wrongKey;
        },
      });
    } catch (error) {
      // ssh2 throws at once on a private key it cannot read.
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function reason(error: Error & { level?: string }, wrongKey: boolean): string {
  if (wrongKey) {
    return "ssh: host key mismatch";
  }
  if (error.level === "client-authentication") {
    return "ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain";
  }
  return error.message;
}

/** Key, then password, then always the agent, as officially. A pinned key also settles the algorithm. */
function credentials(connection: Connection): ConnectConfig {
  const config: ConnectConfig = {
    username: connection.user,
    privateKey: connection.privateKey,
    passphrase: connection.privateKeyPassword,
    password: connection.password,
    agent: connection.agentSocketPath ?? process.env.SSH_AUTH_SOCK,
  };
  const algorithm = connection.hostKey?.trim().split(/\s+/)[0];
  if (algorithm === "ssh-ed25519" || algorithm === "ecdsa-sha2-nistp256") {
    config.algorithms = { serverHostKey: [algorithm] };
  } else if (algorithm === "ssh-rsa") {
    config.algorithms = { serverHostKey: ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] };
  }
  return config;
}

function isSameKey(expected: string, offered: Buffer): boolean {
  const parsed = utils.parseKey(expected);
  return !(parsed instanceof Error) && parsed.getPublicSSH().equals(offered);
}

function execute(client: Client, command: string, stdin: string, onLine: LineListener): Promise<Output> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      const collected = { stdout: "", stderr: "", both: "" };
      const listen = (stream: "stdout" | "stderr", source: NodeJS.ReadableStream): void => {
        const lines = lineSplitter(line => onLine(stream, line));
        source.setEncoding("utf8");
        source.on("data", (text: string) => {
          collected[stream] += text;
          collected.both += text;
          lines.take(text);
        });
        source.on("end", () => lines.finish());
      };
      listen("stdout", channel);
      listen("stderr", channel.stderr);
      channel.on("close", (code: number | null, signal?: string) => {
        const trouble = exitTrouble(code, signal);
        if (trouble === undefined) {
          resolve({ stdout: collected.stdout.replace(/\n$/, ""), stderr: collected.stderr.replace(/\n$/, "") });
        } else {
          reject(new Error(`${trouble}: running ${JSON.stringify(command)}:\n${collected.both}`));
        }
      });
      // The official plugin leaves the connection open as well; it ends with the plugin's process.
      channel.on("error", () => undefined);
      channel.end(stdin);
    });
  });
}

function exitTrouble(code: number | null | undefined, signal: string | undefined): string | undefined {
  if (code === 0) {
    return undefined;
  }
  if (typeof code === "number") {
    return `Process exited with status ${code}`;
  }
  return signal === undefined
    ? "wait: remote command exited without exit status or exit signal"
    : `Process exited with status 128 from signal ${signal.replace(/^SIG/, "")}`;
}

function lineSplitter(onLine: (line: string) => void): { take(text: string): void; finish(): void } {
  let rest = "";
  return {
    take(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(onLine);
    },
    finish() {
      if (rest !== "") {
        onLine(rest);
        rest = "";
      }
    },
  };
}
