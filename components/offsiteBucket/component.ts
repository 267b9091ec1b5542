import * as iam from "@pulumi/aws/iam";
import * as s3 from "@pulumi/aws/s3";
import * as pulumi from "@pulumi/pulumi";
import { componentError } from "../host/remoteStep";
import { lifecycleRules, renderBucketPolicy, renderHostPolicy } from "./policy";
import { bucketDefaults, bucketProblems, OffsiteBucketArgs, OffsiteBucketSettings, OffsiteHost } from "./settings";

/**
 * An S3 bucket for the backups of all hosts.
 *
 * Versioned, encrypted, closed to the public, reachable over TLS only; its lifecycle touches nothing but old versions
 * and unfinished uploads. Each host's policy covers its own directory and no deletion of versions. The bucket and
 * what guards it are protected: `pulumi destroy --exclude-protected` leaves them and removes the roles' policies, the
 * plain command stops before it begins.
 */
export class OffsiteBucket extends pulumi.ComponentResource {
  /** Name of the bucket. */
  public readonly bucketName: pulumi.Output<string>;
  /** ARN of the bucket. */
  public readonly bucketArn: pulumi.Output<string>;
  /** What each host may do, as the JSON text of an IAM policy, by name of the host. */
  public readonly hostPolicies: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: OffsiteBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:OffsiteBucket", name, args, opts);
    const problems = bucketProblems(args);
    if (problems.length > 0) {
      throw componentError(problems, this, name);
    }
    const kept = { parent: this, protect: true, retainOnDelete: true };
    const bucket = new s3.Bucket(
      name,
      { bucket: args.bucketName, objectLockEnabled: args.objectLock !== undefined },
      kept,
    );
    guard(name, bucket, args, kept);
    const policies = args.hosts.map(host => [host.hostName, hostPolicy(args, host, bucket.arn)] as const);
    args.hosts.forEach((host, index) => {
      const policy = policies[index]?.[1];
      if (host.roleName !== undefined && policy !== undefined) {
        new iam.RolePolicy(`${name}-${host.hostName}`, { role: host.roleName, policy }, { parent: this });
      }
    });
    this.bucketName = bucket.bucket;
    this.bucketArn = bucket.arn;
    this.hostPolicies = pulumi.output(Object.fromEntries(policies));
    this.registerOutputs({ bucketName: this.bucketName, bucketArn: this.bucketArn, hostPolicies: this.hostPolicies });
  }
}

function hostPolicy(
  args: OffsiteBucketArgs,
  host: OffsiteHost,
  bucketArn: pulumi.Input<string>,
): pulumi.Output<string> {
  const { prefix, hostsMayPrune = true, kmsKey } = args;
  return pulumi.output({ bucketArn, kmsKey }).apply(known =>
    renderHostPolicy({
      ...known,
      prefix,
      hostName: host.hostName,
      mayRead: host.mayRead ?? [],
      mayPrune: hostsMayPrune,
    }),
  );
}

/** Everything that keeps the bucket private and its contents recoverable. */
function guard(name: string, bucket: s3.Bucket, args: OffsiteBucketArgs, options: pulumi.CustomResourceOptions): void {
  const block = new s3.BucketPublicAccessBlock(
    `${name}-public-access`,
    {
      bucket: bucket.bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    options,
  );
  new s3.BucketOwnershipControls(
    `${name}-ownership`,
    { bucket: bucket.bucket, rule: { objectOwnership: "BucketOwnerEnforced" } },
    options,
  );
  const versioning = new s3.BucketVersioning(
    `${name}-versioning`,
    { bucket: bucket.bucket, versioningConfiguration: { status: "Enabled" } },
    options,
  );
  const encryption =
    args.kmsKey === undefined ? { sseAlgorithm: "AES256" } : { sseAlgorithm: "aws:kms", kmsMasterKeyId: args.kmsKey };
  new s3.BucketServerSideEncryptionConfiguration(
    `${name}-encryption`,
    {
      bucket: bucket.bucket,
      rules: [{ applyServerSideEncryptionByDefault: encryption, bucketKeyEnabled: args.kmsKey !== undefined }],
    },
    options,
  );
  new s3.BucketPolicy(
    `${name}-tls-only`,
    { bucket: bucket.bucket, policy: bucket.arn.apply(renderBucketPolicy) },
    { ...options, dependsOn: block },
  );
  const days = { ...bucketDefaults, ...definedDays(args) };
  new s3.BucketLifecycleConfiguration(
    `${name}-lifecycle`,
    { bucket: bucket.bucket, rules: lifecycleRules(days) },
    { ...options, dependsOn: versioning },
  );
  if (args.objectLock !== undefined) {
    new s3.BucketObjectLockConfiguration(
      `${name}-object-lock`,
      { bucket: bucket.bucket, rule: { defaultRetention: { mode: args.objectLock.mode, days: args.objectLock.days } } },
      { ...options, dependsOn: versioning },
    );
  }
}

function definedDays(args: OffsiteBucketSettings): { noncurrentVersionDays?: number; abortUploadDays?: number } {
  const { noncurrentVersionDays, abortUploadDays } = args;
  return {
    ...(noncurrentVersionDays === undefined ? {} : { noncurrentVersionDays }),
    ...(abortUploadDays === undefined ? {} : { abortUploadDays }),
  };
}
