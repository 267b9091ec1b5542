// The resource types of the stand-in: their inputs, what forces a new one, and the calls that make, change and remove
// them.
import { IAMClient, DeleteRolePolicyCommand, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketEncryptionCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteBucketPolicyCommand,
  DeletePublicAccessBlockCommand,
  GetBucketOwnershipControlsCommand,
  GetPublicAccessBlockCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  PutPublicAccessBlockCommand,
  S3Client,
  type LifecycleRule,
  type ObjectLockRule,
  type OwnershipControlsRule,
  type ServerSideEncryptionRule,
  type VersioningConfiguration,
} from "@aws-sdk/client-s3";
import type { Properties } from "../values";
import { convert, ENCRYPTION_RULE, LIFECYCLE_RULE, LOCK_RULE, OWNERSHIP_RULE, VERSIONING } from "./shape";

export interface Clients {
  s3: S3Client;
  /** Missing where no IAM server is set: nothing here ever talks to the real AWS. */
  iam?: IAMClient;
}

export interface ResourceType {
  inputs: string[];
  required: string[];
  /** A change of one of these makes a new resource. */
  replacing: string[];
  id(inputs: Properties): string;
  /** Makes it, or brings an existing one to the new inputs. */
  put(clients: Clients, inputs: Properties): Promise<void>;
  /** Only for what cannot be put a second time. */
  create?(clients: Clients, inputs: Properties): Promise<void>;
  remove?(clients: Clients, inputs: Properties): Promise<void>;
  outputs?(inputs: Properties): Properties;
}

const nothing = () => Promise.resolve();
const text = (value: unknown): string => {
  if (typeof value !== "string") {
    throw new Error("a text is expected here");
  }
  return value;
};

/** What belongs to a bucket and is named after it. */
function bucketPart(
  inputs: string[],
  required: string[],
  put: ResourceType["put"],
  remove?: ResourceType["remove"],
): ResourceType {
  return {
    inputs: ["bucket", "region", ...inputs],
    required: ["bucket", ...required],
    replacing: ["bucket", "region"],
    id: given => text(given.bucket),
    put,
    remove,
  };
}

const bucket: ResourceType = {
  inputs: ["bucket", "bucketPrefix", "objectLockEnabled", "forceDestroy", "tags", "region"],
  required: [],
  replacing: ["bucket", "bucketPrefix", "objectLockEnabled", "region"],
  id: inputs => text(inputs.bucket),
  put: nothing,
  create: async ({ s3 }, inputs) => {
    await s3.send(
      new CreateBucketCommand({
        Bucket: text(inputs.bucket),
        ObjectLockEnabledForBucket: inputs.objectLockEnabled === true,
      }),
    );
  },
  remove: async ({ s3 }, inputs) => {
    await s3.send(new DeleteBucketCommand({ Bucket: text(inputs.bucket) }));
  },
  outputs: inputs => ({
    arn: `arn:aws:s3:::${text(inputs.bucket)}`,
    bucketDomainName: `${text(inputs.bucket)}.s3.amazonaws.com`,
    bucketRegion: process.env.AWS_REGION ?? "us-east-1",
    tagsAll: inputs.tags ?? {},
  }),
};

const PUBLIC_ACCESS = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"];

const rolePolicy: ResourceType = {
  inputs: ["name", "namePrefix", "policy", "role"],
  required: ["policy", "role"],
  replacing: ["name", "namePrefix", "role"],
  id: inputs => `${text(inputs.role)}:${text(inputs.name)}`,
  put: async ({ iam }, inputs) => {
    const target = { RoleName: text(inputs.role), PolicyName: text(inputs.name) };
    await needed(iam).send(new PutRolePolicyCommand({ ...target, PolicyDocument: text(inputs.policy) }));
  },
  remove: async ({ iam }, inputs) => {
    await needed(iam).send(new DeleteRolePolicyCommand({ RoleName: text(inputs.role), PolicyName: text(inputs.name) }));
  },
};

/**
 * Asks the server before anything is changed. MinIO takes a PUT or DELETE of a part of the bucket that it does not know
 * for one of the bucket itself, and removes the bucket; to a GET it says NotImplemented.
 */
async function probe(read: Promise<unknown>): Promise<void> {
  try {
    await read;
  } catch (error) {
    const isAbsent =
      error instanceof Error &&
      ["OwnershipControlsNotFoundError", "NoSuchPublicAccessBlockConfiguration"].includes(error.name);
    if (!isAbsent) {
      throw error;
    }
  }
}

const probeAccessBlock = (s3: S3Client, Bucket: string) => probe(s3.send(new GetPublicAccessBlockCommand({ Bucket })));
const probeOwnership = (s3: S3Client, Bucket: string) =>
  probe(s3.send(new GetBucketOwnershipControlsCommand({ Bucket })));

/** MinIO has no rule that only ends unfinished uploads and refuses the whole document because of one. */
async function putLifecycle(s3: S3Client, Bucket: string, rules: LifecycleRule[]): Promise<void> {
  const put = (Rules: LifecycleRule[]) =>
    s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
  try {
    await put(rules);
  } catch (error) {
    const others = rules.filter(
      rule => rule.Expiration !== undefined || rule.NoncurrentVersionExpiration !== undefined,
    );
    if (!(error instanceof Error) || !error.message.includes("not well-formed") || others.length === rules.length) {
      throw error;
    }
    if (others.length > 0) {
      await put(others);
    }
    throw new NotDone("it has no lifecycle rule for unfinished uploads alone; the other rules are in force");
  }
}

/** Thrown where a request has no server, or the server can do only a part; becomes a warning like a NotImplemented. */
export class NotDone extends Error {}

function needed(iam: IAMClient | undefined): IAMClient {
  if (iam === undefined) {
    throw new NotDone("no IAM server is set (AWS_ENDPOINT_URL_IAM)");
  }
  return iam;
}

export const RESOURCES: Record<string, ResourceType> = {
  "aws:s3/bucket:Bucket": bucket,
  "aws:s3/bucketVersioning:BucketVersioning": bucketPart(
    ["versioningConfiguration"],
    ["versioningConfiguration"],
    async ({ s3 }, inputs) => {
      const configuration = convert(
        VERSIONING,
        inputs.versioningConfiguration,
        "versioningConfiguration",
      ) as VersioningConfiguration;
      await s3.send(
        new PutBucketVersioningCommand({ Bucket: text(inputs.bucket), VersioningConfiguration: configuration }),
      );
    },
  ),
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": bucketPart(
    ["rules"],
    ["rules"],
    async ({ s3 }, inputs) => {
      const Rules = convert(ENCRYPTION_RULE, inputs.rules, "rules") as ServerSideEncryptionRule[];
      await s3.send(
        new PutBucketEncryptionCommand({ Bucket: text(inputs.bucket), ServerSideEncryptionConfiguration: { Rules } }),
      );
    },
    async ({ s3 }, inputs) => {
      await s3.send(new DeleteBucketEncryptionCommand({ Bucket: text(inputs.bucket) }));
    },
  ),
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": bucketPart(
    PUBLIC_ACCESS,
    [],
    async ({ s3 }, inputs) => {
      await probeAccessBlock(s3, text(inputs.bucket));
      const flags = Object.fromEntries(
        PUBLIC_ACCESS.map(key => [`${key[0]?.toUpperCase()}${key.slice(1)}`, inputs[key] === true]),
      );
      await s3.send(
        new PutPublicAccessBlockCommand({ Bucket: text(inputs.bucket), PublicAccessBlockConfiguration: flags }),
      );
    },
    async ({ s3 }, inputs) => {
      await probeAccessBlock(s3, text(inputs.bucket));
      await s3.send(new DeletePublicAccessBlockCommand({ Bucket: text(inputs.bucket) }));
    },
  ),
  "aws:s3/bucketOwnershipControls:BucketOwnershipControls": bucketPart(
    ["rule"],
    ["rule"],
    async ({ s3 }, inputs) => {
      await probeOwnership(s3, text(inputs.bucket));
      const rule = convert(OWNERSHIP_RULE, inputs.rule, "rule") as OwnershipControlsRule;
      await s3.send(
        new PutBucketOwnershipControlsCommand({ Bucket: text(inputs.bucket), OwnershipControls: { Rules: [rule] } }),
      );
    },
    async ({ s3 }, inputs) => {
      await probeOwnership(s3, text(inputs.bucket));
      await s3.send(new DeleteBucketOwnershipControlsCommand({ Bucket: text(inputs.bucket) }));
    },
  ),
  "aws:s3/bucketPolicy:BucketPolicy": bucketPart(
    ["policy"],
    ["policy"],
    async ({ s3 }, inputs) => {
      await s3.send(new PutBucketPolicyCommand({ Bucket: text(inputs.bucket), Policy: text(inputs.policy) }));
    },
    async ({ s3 }, inputs) => {
      await s3.send(new DeleteBucketPolicyCommand({ Bucket: text(inputs.bucket) }));
    },
  ),
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": bucketPart(
    ["rules"],
    ["rules"],
    async ({ s3 }, inputs) => {
      await putLifecycle(s3, text(inputs.bucket), convert(LIFECYCLE_RULE, inputs.rules, "rules") as LifecycleRule[]);
    },
    async ({ s3 }, inputs) => {
      await s3.send(new DeleteBucketLifecycleCommand({ Bucket: text(inputs.bucket) }));
    },
  ),
  "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": bucketPart(
    ["objectLockEnabled", "rule"],
    [],
    async ({ s3 }, inputs) => {
      const Rule = inputs.rule === undefined ? undefined : (convert(LOCK_RULE, inputs.rule, "rule") as ObjectLockRule);
      await s3.send(
        new PutObjectLockConfigurationCommand({
          Bucket: text(inputs.bucket),
          ObjectLockConfiguration: { ObjectLockEnabled: "Enabled", Rule },
        }),
      );
    },
  ),
  "aws:iam/rolePolicy:RolePolicy": rolePolicy,
};
