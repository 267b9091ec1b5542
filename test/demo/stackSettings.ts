// The configuration of Pulumi.dev.yaml, with what is known only once the host and the S3 server run.
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import type { Host } from "../hosts/host";
import type { S3Credentials } from "../servers/minio";

interface StackFile {
  config: Record<string, unknown> & {
    "prometheus-backup:defaults": { repositories: { bucket?: string; endpoint?: string }[] };
    "prometheus-backup:hosts": Record<string, unknown>[];
  };
}

export interface StackSettings {
  config: Record<string, unknown>;
  secrets: Record<string, string>;
}

function stackFile(): StackFile {
  return parse(readFileSync(path.join(__dirname, "..", "..", "Pulumi.dev.yaml"), "utf8")) as StackFile;
}

/** The bucket that the stack expects to be there. */
export function bucketOfStack(): string {
  const bucket = stackFile().config["prometheus-backup:defaults"].repositories.find(
    repository => repository.bucket !== undefined,
  )?.bucket;
  if (bucket === undefined) {
    throw new Error("Pulumi.dev.yaml names no bucket");
  }
  return bucket;
}

export function stackSettings(host: Host, endpoint: string, credentials: S3Credentials): StackSettings {
  const { config } = stackFile();
  const defaults = config["prometheus-backup:defaults"];
  const repositories = defaults.repositories.map(repository =>
    repository.bucket === undefined ? repository : { ...repository, endpoint },
  );
  const hosts = config["prometheus-backup:hosts"].map(({ insecureHostKey: _, ...settings }) => ({
    ...settings,
    address: host.sshHost,
    port: host.sshPort,
    hostKey: host.hostKey,
  }));
  return {
    config: {
      ...config,
      "prometheus-backup:defaults": { ...defaults, repositories },
      "prometheus-backup:hosts": hosts,
    },
    secrets: {
      "prometheus-backup:sshKey": host.privateKey,
      "prometheus-backup:offsiteCredentials": `[default]\naws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\n`,
    },
  };
}
