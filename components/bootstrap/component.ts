import * as pulumi from "@pulumi/pulumi";
import { repositoryForm } from "../backupJob/repository";
import { list } from "../fields/group";
import { componentOptions, installStep } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { BootstrapArgs } from "./settings";
import { bootstrap } from "./step";

/**
 * A new host is born from a backup: once, and never again.
 *
 * Runs the host command of a `BackupJob`, which this must depend on; `AdminApi` and `AlertRules` need a running server
 * and must depend on this. A server without finished blocks gets all blocks of the backup, as by `prometheus-backup.sh
 * restore`, and is started: one that has never run starts with them for the first time. What a server has scraped so
 * far is kept aside. Only after that a note
 * is left in `/var/lib/prometheus-backup-restore/bootstrapped`, with which this does nothing any more, whatever its
 * arguments become. A server that holds finished blocks is not new: it is left alone with a warning, and gets such a
 * note. A restore that fails, also by taking more than 6 hours, leaves the server as it was, running or not, and fails
 * the step; the next `up` goes on from there, and merges the backup in if the server has finished blocks of its own by
 * then. `destroy` leaves the data and the note.
 */
export class Bootstrap extends pulumi.ComponentResource {
  /** What the step reported. */
  public readonly report: pulumi.Output<string>;

  constructor(name: string, args: BootstrapArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "prometheus-backup:index:Bootstrap",
      name,
      sealed(args, { repositories: list(repositoryForm) }),
      componentOptions(opts),
    );
    const install = installStep(this, name, bootstrap, args, opts);
    this.report = install.stdout;
    this.registerOutputs({ report: this.report });
  }
}
