import type * as pulumi from "@pulumi/pulumi";
import { choice, defaultsOf, flag, part, required, table, text, whole } from "../fields/group";
import { bucketCheck, hostNameCheck, pattern, prefixCheck } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";

/** A time in which nobody can delete or overwrite a version. */
export interface ObjectLock {
  /** Who may shorten it. */
  mode: LockMode;
  /**
   * Days for which each version is locked. Keep it below the backup retention, or pruning only hides what it deletes.
   */
  days: number;
}

/** The bucket itself. */
export interface OffsiteBucketSettings {
  /**
   * Name of the bucket. Plain text chosen by you: names are global, every host's settings carry it, and it must never
   * change by itself.
   */
  bucketName: string;
  /**
   * Directory in the bucket under which hosts have theirs, without slashes at its ends. Defaults to the bucket itself.
   */
  prefix?: string;
  /** Days for which deleted or overwritten versions can be brought back. Defaults to 30. */
  noncurrentVersionDays?: number;
  /**
   * Days after which unfinished uploads are removed. Defaults to 7; shorter than the longest upload loses that upload.
   */
  abortUploadDays?: number;
  /** Object Lock. Only possible from the creation of the bucket on. */
  objectLock?: ObjectLock;
  /**
   * Key for encryption, as ARN or alias. Defaults to a key of S3 itself. The hosts' policies let them use a KMS key;
   * its own policy must leave that to IAM.
   */
  kmsKey?: pulumi.Input<string>;
  /**
   * Whether hosts may delete objects in their own directory, which `prune` does. Defaults to true.
   *
   * Versions stay for `noncurrentVersionDays` either way. With false the hosts of a fleet leave retention there to
   * somebody else, and every backup stays until that one deletes it.
   */
  hostsMayPrune?: boolean;
}

/** A host that uses the bucket. */
export interface OffsiteHost {
  /** Name of the host, and of its directory. */
  hostName: string;
  /** IAM role of the host, by name; gets the host's policy. Without it the policy is only an output. */
  roleName?: string;
  /** Names of hosts whose directories it may also read, for a migration. */
  mayRead?: string[];
}

/** What Object Lock keeps people from doing. */
export const LockMode = {
  /** Only identities with a right of their own may shorten the lock. */
  Governance: "GOVERNANCE",
  /** Nobody may, the account's owner included. */
  Compliance: "COMPLIANCE",
} as const;
export type LockMode = (typeof LockMode)[keyof typeof LockMode];

/** `prometheus-backup:offsiteBucket`. */
export const bucketForm = table<OffsiteBucketSettings>()({
  bucketName: required(text({ check: bucketCheck, says: "name of the bucket" })),
  prefix: text({ check: prefixCheck, says: "directory in it" }),
  noncurrentVersionDays: whole(1, 3650, { default: 30, says: "days before overwritten and deleted versions go" }),
  abortUploadDays: whole(1, 365, { default: 7, says: "days before unfinished uploads go" }),
  objectLock: part(table<ObjectLock>()({ mode: required(choice(LockMode)), days: required(whole(1, 36_500)) }), {
    says: "`mode` (`GOVERNANCE` or `COMPLIANCE`) and `days`",
  }),
  kmsKey: text({
    says:
      "KMS key (ARN or alias) for all objects; otherwise the bucket encrypts with its own. " +
      "`hostPolicies` let the hosts use it through S3, as far as the key's own policy leaves that to IAM",
  }),
  hostsMayPrune: flag({
    default: true,
    says:
      "whether hosts may delete current objects (never versions); with `false` their repository " +
      "`offsite` has `prune: false`",
  }),
});

export const bucketDefaults = defaultsOf(bucketForm);

export const roleCheck = pattern(
  /^[A-Za-z0-9+=,.@_-]{1,64}$/,
  "must be the name of an IAM role, not its ARN. Write what stands behind the last slash.",
);

/** What is wrong with the description of a bucket. */
export function bucketProblems(bucket: OffsiteBucketSettings & { hosts?: OffsiteHost[] }): Problem[] {
  const found = new Findings();
  found.fields("", bucketForm, bucket);
  bucket.hosts?.forEach((host, index) => {
    found.text(`hosts[${index}].hostName`, host.hostName, hostNameCheck);
    found.text(`hosts[${index}].roleName`, host.roleName, roleCheck);
    host.mayRead?.forEach((name, position) => found.text(`hosts[${index}].mayRead[${position}]`, name, hostNameCheck));
  });
  return found.problems;
}

/** Arguments of `OffsiteBucket`. */
export interface OffsiteBucketArgs extends OffsiteBucketSettings {
  /** The hosts. Plain values, because they decide which policies exist. */
  hosts: OffsiteHost[];
}
