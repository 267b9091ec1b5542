/** The backup that a new host is born from. */
export interface BootstrapSource {
  /** Name of the host whose backup it is. Defaults to this host itself, for a machine that takes the place of another one. */
  host?: string;
  /** Name of the backup, such as `20261122T020000Z`. Defaults to `latest`, the newest that is complete and not suspect. */
  backup?: string;
  /** Name of the repository of this host to read from. Defaults to whichever holds the backup. */
  repository?: string;
}
