import { Repository, repositoryName } from "../backupJob/repository";
import { group, text } from "../fields/group";
import { hostNameCheck, pattern } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { HostArgs } from "../host/connection";
import { PrometheusServer } from "../host/server";

/** The backup that a new host is born from. */
export interface BootstrapSource {
  /**
   * Name of the host whose backup it is. Defaults to this host itself, for a machine that takes the place of another
   * one.
   */
  host?: string;
  /**
   * Name of the backup, such as `20261122T020000Z`. Defaults to `latest`, the newest that is complete and not suspect.
   */
  backup?: string;
  /** Name of the repository of this host to read from. Defaults to whichever holds the backup. */
  repository?: string;
}

/** The backup that a host is born from. */
export const bootstrapDefaults = { backup: "latest" } as const;

export const bootstrapSchema = group({ host: text.optional(), backup: text.optional(), repository: text.optional() });

export const backupNameCheck = pattern(
  /^(latest|[0-9]{8}T[0-9]{6}Z)$/,
  "must be `latest` or the name of a backup. Write it as `prometheus-backup.sh list --host NAME` prints it, for " +
    "example `20261122T020000Z`.",
);

/** What is wrong with the backup that a host is to be born from; its repository must be one of the host's own. */
export function bootstrapProblems(
  source: BootstrapSource | undefined,
  repositories: Repository[] | undefined,
): Problem[] {
  const found = new Findings();
  found.text("bootstrapFrom.host", source?.host, hostNameCheck);
  found.text("bootstrapFrom.backup", source?.backup, backupNameCheck);
  const names = (repositories ?? []).map(repository => repositoryName(repository));
  if (source?.repository !== undefined && repositories !== undefined && !names.includes(source.repository)) {
    found.add(
      "bootstrapFrom.repository",
      `must be the name of a repository of this host: ${names.map(name => `\`${name}\``).join(", ")}. Choose one, ` +
        `or remove it.`,
    );
  }
  return found.problems;
}

/** Arguments of `Bootstrap`. */
export interface BootstrapArgs extends HostArgs {
  /** The server. */
  prometheus?: PrometheusServer;
  /**
   * The repositories of the host's `BackupJob`, against which `bootstrapFrom.repository` is checked. Defaults to no
   * check.
   */
  repositories?: Repository[];
  /** The backup. Defaults to the newest one of this host itself. */
  bootstrapFrom?: BootstrapSource;
}
