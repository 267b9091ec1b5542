// A throw-away MinIO: S3 with versions, Object Lock, lifecycle and IAM policies that are really enforced.
import { randomBytes } from "node:crypto";
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { ensureDocker } from "../hosts/docker";
import { step } from "../tools/cache";
import { ensureMinio } from "../tools/minio";
import { testEnvironment, waitUntil } from "../tools/process";
import { addUser } from "./minioUsers";

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface StartMinioOptions {
  /**
   * Defaults to the address where containers reach this machine, or to loopback where Docker runs in a machine of its
   * own.
   */
  bindAddress?: string;
  /** Lets the server outlive this process, until somebody ends it by its process id. Defaults to false. */
  keep?: boolean;
}

export interface Minio {
  /** Id of the server's process. */
  pid(): number;
  /** Its data and its log. */
  directory: string;
  /** For programs on this machine. */
  endpoint: string;
  /** The same server as test hosts reach it. */
  endpointForHosts: string;
  region: string;
  /** The root user of the server, made up for this run. */
  root: S3Credentials;
  /** Variables that point AWS programs and the Pulumi plugin at this server. */
  environment: Record<string, string>;
  /** A client for root, or for somebody else. */
  client(credentials?: S3Credentials): S3Client;
  /** Adds a user who may do exactly what the IAM policy document says. */
  addUser(name: string, policy: object): Promise<S3Credentials>;
  /** Kills the server without warning, as when its machine dies; the data stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const REGION = "eu-central-1";

// The SDK says in every process that a coming version of it wants a newer Node.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

export async function startMinio(options: StartMinioOptions = {}): Promise<Minio> {
  const program = await ensureMinio();
  const address = options.bindAddress ?? (await defaultAddress());
  const port = await freePort(address);
  const root = {
    accessKeyId: `root-${randomBytes(4).toString("hex")}`,
    secretAccessKey: randomBytes(20).toString("hex"),
  };
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-minio-"));
  const server = new Server(program, `${address}:${port}`, directory, root, options.keep ?? false);
  await step(`starting MinIO on ${address}:${port}`, () => server.start());
  return {
    ...reach({ address, port, directory, root, pid: server.pid() }),
    pid: () => server.pid(),
    kill: () => server.end("SIGKILL"),
    restart: () => server.start(),
    stop: async () => {
      await server.end("SIGTERM");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** What another process must know of a server to use it. */
interface MinioAccess {
  address: string;
  port: number;
  directory: string;
  root: S3Credentials;
  pid: number;
}

const SHARED_VARIABLE = "PROMETHEUS_BACKUP_TEST_MINIO";

/** Makes this server the one that `sharedMinio` gives to this process and to those that it starts from now on. */
export function shareMinio(minio: Minio): void {
  const { hostname, port } = new URL(minio.endpoint);
  const access: MinioAccess = {
    address: hostname,
    port: Number(port),
    directory: minio.directory,
    root: minio.root,
    pid: minio.pid(),
  };
  process.env[SHARED_VARIABLE] = JSON.stringify(access);
}

/**
 * The server of the whole test run, in which each test file has buckets and users with names of its own. It goes on
 * after
 * `stop`, and nobody may kill it: `startMinio` is for that. Outside a test run it is one of its own.
 */
export async function sharedMinio(): Promise<Minio> {
  const shared = process.env[SHARED_VARIABLE];
  if (shared === undefined) {
    return startMinio();
  }
  const refuse = () =>
    Promise.reject(new Error("this S3 server is shared with other tests; start one with startMinio"));
  return { ...reach(JSON.parse(shared) as MinioAccess), kill: refuse, restart: refuse, stop: () => Promise.resolve() };
}

function reach({ address, port, directory, root, pid }: MinioAccess): Omit<Minio, "kill" | "restart" | "stop"> {
  const endpoint = `http://${address}:${port}`;
  return {
    pid: () => pid,
    directory,
    endpoint,
    endpointForHosts: address === "127.0.0.1" ? `http://host.docker.internal:${port}` : endpoint,
    region: REGION,
    root,
    environment: environmentFor(endpoint, root),
    client: (credentials = root) => new S3Client({ endpoint, region: REGION, credentials, forcePathStyle: true }),
    addUser: (name, policy) => addUser({ endpoint, root }, name, policy),
  };
}

async function defaultAddress(): Promise<string> {
  return process.platform === "linux" ? (await ensureDocker()).gateway() : "127.0.0.1";
}

function environmentFor(endpoint: string, root: S3Credentials): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ACCESS_KEY_ID: root.accessKeyId,
    AWS_SECRET_ACCESS_KEY: root.secretAccessKey,
    AWS_REGION: REGION,
    AWS_EC2_METADATA_DISABLED: "true",
  };
}

function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, address, () => {
      const bound = probe.address();
      probe.close(() =>
        typeof bound === "object" && bound !== null ? resolve(bound.port) : reject(new Error("no port")),
      );
    });
  });
}

class Server {
  private process: ChildProcess | undefined;
  private readonly log: string;
  private readonly environment: NodeJS.ProcessEnv;

  constructor(
    private readonly program: string,
    private readonly address: string,
    private readonly directory: string,
    root: S3Credentials,
    private readonly keep: boolean,
  ) {
    this.log = path.join(directory, "minio.log");
    this.environment = testEnvironment({
      MINIO_ROOT_USER: root.accessKeyId,
      MINIO_ROOT_PASSWORD: root.secretAccessKey,
      // Without a key, MinIO answers NotImplemented to every request for encryption.
      MINIO_KMS_SECRET_KEY: `tests:${randomBytes(32).toString("base64")}`,
      MINIO_REGION: REGION,
      MINIO_BROWSER: "off",
      MINIO_UPDATE: "off",
    });
  }

  async start(): Promise<void> {
    const log = openSync(this.log, "a");
    const child = spawn(
      this.program,
      ["server", "--quiet", "--address", this.address, path.join(this.directory, "data")],
      {
        env: this.environment,
        stdio: ["ignore", log, log],
        detached: this.keep,
      },
    );
    closeSync(log);
    this.process = child;
    if (this.keep) {
      child.unref();
    } else {
      // The last resort when a test run ends without stopping its server.
      process.once("exit", () => child.kill("SIGKILL"));
    }
    await waitUntil("MinIO is ready", 30, async () => {
      if (child.exitCode !== null) {
        throw new Error(`MinIO ended with exit code ${child.exitCode}:\n${readFileSync(this.log, "utf8")}`);
      }
      return isReady(`http://${this.address}/minio/health/ready`);
    });
  }

  pid(): number {
    return this.process?.pid ?? 0;
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise(resolve => child.once("exit", resolve));
      child.kill(signal);
      await ended;
    }
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}
