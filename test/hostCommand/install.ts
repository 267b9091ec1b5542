// Puts the host command on a test host by hand, under the paths where the components put it. That goes past the engine
// on purpose: these tests are about the command, and take hundreds of runs of it; the components have tests of their
// own.
import { renderHostCommand } from "../../components/host/programs";
import { renderSettings } from "../../components/backupJob/confFile";
import type { Host } from "../hosts/host";

export const COMMAND = "/usr/local/bin/prometheus-backup.sh";
export const SETTINGS = "/etc/prometheus-backup/prometheus-backup.conf";
export const LOG = "/var/log/prometheus-backup.log";

/** The program, its packages, and the directories that every run needs; no settings yet. */
export async function installProgram(host: Host): Promise<void> {
  await host.run(`
    set -Eeuo pipefail
    export DEBIAN_FRONTEND=noninteractive
    packages=(jq zstd rclone openssl faketime)
    dpkg --status "\${packages[@]}" >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends "\${packages[@]}" >/dev/null 2>/var/tmp/apt.log ||
      { apt-get update -qq && apt-get install -y -qq --no-install-recommends "\${packages[@]}" >/dev/null; }
    install -d -m 0755 /etc/prometheus-backup /etc/prometheus-backup/credentials
    install -d -o prometheus -g prometheus -m 0750 /var/lib/prometheus-backup
    install -o prometheus -g prometheus -m 0644 /dev/null ${LOG}`);
  await host.writeFile(COMMAND, renderHostCommand(), { mode: "0755" });
}

/** The settings file as the components render it. */
export async function writeSettings(host: Host, file: string, settings: Record<string, string>): Promise<void> {
  await host.writeFile(file, renderSettings(settings));
}

export interface S3Access {
  /** Whose credentials they are: name of the file. */
  owner: string;
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** rclone.conf without a secret, and the credentials file that it names. */
export async function writeS3Remote(host: Host, file: string, remote: string, access: S3Access): Promise<void> {
  const credentials = `/etc/prometheus-backup/credentials/${access.owner}`;
  const lines = {
    type: "s3",
    provider: "Other",
    region: access.region,
    endpoint: access.endpoint,
    force_path_style: "true",
    env_auth: "true",
    shared_credentials_file: credentials,
    no_check_bucket: "true",
    no_head: "true",
  };
  const text = Object.entries(lines)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join("");
  await host.writeFile(file, `[${remote}]\n${text}`);
  await host.writeFile(
    credentials,
    `[default]\naws_access_key_id=${access.accessKeyId}\naws_secret_access_key=${access.secretAccessKey}\n`,
    { mode: "0600", owner: "prometheus:prometheus" },
  );
}
