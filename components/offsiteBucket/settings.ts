import type * as pulumi from "@pulumi/pulumi";
import { amount, choice, flag, group, text } from "../fields/group";
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

/** The bucket. */
export const bucketDefaults = { noncurrentVersionDays: 30, abortUploadDays: 7 } as const;

/** `prometheus-backup:offsiteBucket`. */
export const offsiteBucketSchema = group({
  bucketName: text,
  prefix: text.optional(),
  noncurrentVersionDays: amount.optional(),
  abortUploadDays: amount.optional(),
  objectLock: group({ mode: choice(LockMode), days: amount }).optional(),
  kmsKey: text.optional(),
  hostsMayPrune: flag.optional(),
});

export const roleCheck = pattern(
  /^[A-Za-z0-9+=,.@_-]{1,64}$/,
  "must be the name of an IAM role, not its ARN. Write what stands behind the last slash.",
);

/** What is wrong with the description of a bucket. */
export function bucketProblems(bucket: {
  bucketName: string;
  prefix?: string;
  noncurrentVersionDays?: number;
  abortUploadDays?: number;
  objectLock?: { days: number };
  hosts?: { hostName: string; roleName?: string; mayRead?: string[] }[];
}): Problem[] {
  const found = new Findings();
  found.text("bucketName", bucket.bucketName, bucketCheck);
  found.text("prefix", bucket.prefix, prefixCheck);
  found.whole("noncurrentVersionDays", bucket.noncurrentVersionDays, 1, 3650);
  found.whole("abortUploadDays", bucket.abortUploadDays, 1, 365);
  found.whole("objectLock.days", bucket.objectLock?.days, 1, 36_500);
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
