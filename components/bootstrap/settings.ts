import { Repository, repositoryName } from "../backupJob/repository";
import { defaultsOf, table, text } from "../fields/group";
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

export const backupNameCheck = pattern(
  /^(latest|[0-9]{8}T[0-9]{6}Z)$/,
  "must be `latest` or the name of a backup. Write it as `prometheus-backup.sh list --host NAME` prints it, for " +
    "example `20261122T020000Z`.",
);

export const bootstrapForm = table<BootstrapSource>()({
  host: text({
    check: hostNameCheck,
    shown: "the name",
    says:
      "whose backup this host is [born from](restore.md#born-from-a-backup-bootstrapfrom), once; the " +
      "right to read it in `offsiteBucket` comes with this",
  }),
  backup: text({ check: backupNameCheck, default: "latest", says: "name of that backup, or `latest`" }),
  repository: text({ says: "name of the repository to read from; otherwise whichever holds it" }),
});

export const bootstrapDefaults = defaultsOf(bootstrapForm);

/** What is wrong with the backup that a host is to be born from; its repository must be one of the host's own. */
export function bootstrapProblems(
  source: BootstrapSource | undefined,
  repositories: Repository[] | undefined,
): Problem[] {
  const found = new Findings();
  found.fields("bootstrapFrom", bootstrapForm, source);
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
