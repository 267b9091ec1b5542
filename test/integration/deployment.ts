// Stacks as `index.ts` makes them, from configuration alone, with test hosts and a test S3 server in it.
import { createServer } from "node:net";
import type { S3Credentials } from "../servers/minio";
import type { Host } from "../hosts/host";
import { deploy } from "../../components/stack/program";
import { createTestStack, type StackRun, type TestStack } from "./harness";

/** The configuration of a stack, without the namespace; what a test changes between two runs. */
export interface StackSettings {
  environment: string;
  defaults: Record<string, unknown>;
  hosts: Record<string, unknown>[];
  offsiteBucket?: Record<string, unknown>;
}

/** One host of a stack: how a test host is reached, and settings of its own. */
export function hostSettings(host: Host, own: Record<string, unknown> = {}): Record<string, unknown> {
  return { name: host.name, address: host.sshHost, port: host.sshPort, hostKey: host.hostKey, ...own };
}

/** What every stack of these tests shares. Tries few connections, so that a host that is away fails soon. */
export const sharedSettings = { user: "deploy", privateKey: "sshKey", connectAttempts: 1, connectTimeoutSeconds: 5 };

/** The text of a credentials file for S3. */
export function credentialsFile(credentials: S3Credentials): string {
  return `[default]\naws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\n`;
}

export class Deployment {
  private constructor(
    readonly stack: TestStack,
    private settings: StackSettings,
    private readonly secrets: Record<string, string>,
  ) {}

  static async create(
    settings: StackSettings,
    secrets: Record<string, string>,
    environment: Record<string, string> = {},
  ): Promise<Deployment> {
    const stack = await createTestStack({ program: () => Promise.resolve({ ...deploy() }), environment });
    const deployment = new Deployment(stack, settings, secrets);
    await deployment.change({});
    return deployment;
  }

  /** Replaces parts of the configuration, as somebody who edits the file of the stack. */
  async change(changed: Partial<StackSettings>): Promise<void> {
    this.settings = { ...this.settings, ...changed };
    await this.stack.setConfig(
      { "aws:region": "eu-central-1", ...namespaced({ ...this.settings }) },
      namespaced(this.secrets),
    );
  }
}

function namespaced<T>(values: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`prometheus-backup:${key}`, value]));
}

/** What a run did beside leaving things as they are: operation to number of resources. */
export function changesOf(run: StackRun): Record<string, number> {
  return Object.fromEntries(Object.entries(run.changes).filter(([operation]) => operation !== "same"));
}

/** What a run that a wrong configuration has ended says about it, one text a setting. */
export function refusal(run: StackRun): string[] {
  const lines = run.output.split("\n").map(line => line.trim());
  // The progress has the first line, too; the whole message comes at the end.
  const first = lines.findLastIndex(line =>
    /prometheus-backup: \d+ settings? in this stack needs? a change\. No resource was touched\.$/.test(line),
  );
  const end = lines.findIndex((line, index) => index > first && !line.startsWith("- "));
  return lines.slice(first + 1, end).map(line => line.slice(2));
}

/** A port of this machine that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const bound = probe.address();
      probe.close(() =>
        typeof bound === "object" && bound !== null ? resolve(bound.port) : reject(new Error("no port")),
      );
    });
  });
}
