/** What decides a host's policy. */
export interface HostPolicyPlan {
  bucketArn: string;
  prefix?: string;
  hostName: string;
  mayRead: string[];
  mayPrune: boolean;
  /** Key of the bucket's default encryption, as ARN, alias or id. */
  kmsKey?: string;
}

interface Statement {
  Sid: string;
  Effect: "Allow" | "Deny";
  Principal?: string;
  Action: string | string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

function document(statements: Statement[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

/** Nobody talks to the bucket in plain text. */
export function renderBucketPolicy(bucketArn: string): string {
  return document([
    {
      Sid: "TlsOnly",
      Effect: "Deny",
      Principal: "*",
      Action: "s3:*",
      Resource: [bucketArn, `${bucketArn}/*`],
      Condition: { Bool: { "aws:SecureTransport": "false" } },
    },
  ]);
}

/**
 * Reads, writes and lists below the host's own directory and nothing else. Versions cannot be deleted even if another
 * policy of the role would allow it: what a broken-into host deletes can be brought back.
 */
export function renderHostPolicy(plan: HostPolicyPlan): string {
  const directory = (host: string): string => (plan.prefix === undefined ? host : `${plan.prefix}/${host}`);
  const readable = [plan.hostName, ...plan.mayRead].map(directory);
  const own = `${plan.bucketArn}/${directory(plan.hostName)}/*`;
  const writes = [
    "s3:PutObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    ...(plan.mayPrune ? ["s3:DeleteObject"] : []),
  ];
  return document([
    {
      Sid: "ListOwnDirectory",
      Effect: "Allow",
      Action: "s3:ListBucket",
      Resource: plan.bucketArn,
      // With the slash: `prom-1` alone would list what lies below `prom-10/` as well.
      Condition: { StringLike: { "s3:prefix": readable.map(path => `${path}/*`) } },
    },
    {
      Sid: "Read",
      Effect: "Allow",
      Action: "s3:GetObject",
      Resource: readable.map(path => `${plan.bucketArn}/${path}/*`),
    },
    { Sid: "Write", Effect: "Allow", Action: writes, Resource: own },
    {
      Sid: "KeepVersions",
      Effect: "Deny",
      Action: [
        "s3:DeleteObjectVersion",
        "s3:PutBucketVersioning",
        "s3:PutLifecycleConfiguration",
        "s3:BypassGovernanceRetention",
      ],
      Resource: [plan.bucketArn, `${plan.bucketArn}/*`],
    },
    ...(plan.kmsKey === undefined ? [] : [keyStatement(plan.kmsKey)]),
  ]);
}

/**
 * S3 asks for the key in the name of the host: a new data key for what is written (parts of one upload also read), and
 * the old ones for what is read.
 */
function keyStatement(key: string): Statement {
  const alias = /(?:^|:)(alias\/.+)$/.exec(key)?.[1];
  const isArn = key.startsWith("arn:");
  const [, partition = "*", , region = "*", account = "*"] = isArn ? key.split(":") : [];
  return {
    Sid: "UseKey",
    Effect: "Allow",
    Action: ["kms:GenerateDataKey", "kms:Decrypt"],
    // A policy names no alias as a resource, only as a condition.
    Resource:
      alias === undefined && isArn
        ? key
        : `arn:${partition}:kms:${region}:${account}:key/${alias === undefined ? key : "*"}`,
    Condition: {
      StringLike: { "kms:ViaService": "s3.*.amazonaws.com*" },
      ...(alias === undefined ? {} : { "ForAnyValue:StringEquals": { "kms:ResourceAliases": alias } }),
    },
  };
}

/** One rule of a bucket's lifecycle, in the form of S3. */
export interface LifecycleRule {
  id: string;
  status: string;
  filter: { prefix: string };
  noncurrentVersionExpiration?: { noncurrentDays: number };
  abortIncompleteMultipartUpload?: { daysAfterInitiation: number };
  expiration?: { expiredObjectDeleteMarker: boolean };
}

/**
 * Old versions, the markers they leave, and unfinished uploads. Never a rule by age on current objects: a block is
 * uploaded once and backups of months later still need it.
 */
export function lifecycleRules(days: { noncurrentVersionDays: number; abortUploadDays: number }): LifecycleRule[] {
  const everything = { prefix: "" };
  return [
    {
      id: "expire-noncurrent-versions",
      status: "Enabled",
      filter: everything,
      noncurrentVersionExpiration: { noncurrentDays: days.noncurrentVersionDays },
      expiration: { expiredObjectDeleteMarker: true },
    },
    {
      id: "abort-unfinished-uploads",
      status: "Enabled",
      filter: everything,
      abortIncompleteMultipartUpload: { daysAfterInitiation: days.abortUploadDays },
    },
  ];
}
