import { expect, test } from "vitest";
import { OffsiteBucket, OffsiteBucketArgs } from "../../components";
import { renderHostPolicy } from "../../components/offsiteBucket/policy";
import { recordResources } from "../recordResources";

const args: OffsiteBucketArgs = {
  bucketName: "backups",
  hosts: [
    { hostName: "prom-a", roleName: "prom-a-role" },
    { hostName: "prom-b", mayRead: ["prom-a"] },
  ],
};

function bucket(more: Partial<OffsiteBucketArgs> = {}): () => OffsiteBucket {
  return () => new OffsiteBucket("offsite", { ...args, ...more });
}

test("the bucket is versioned, encrypted, private, and its lifecycle spares current objects", async () => {
  const { all } = await recordResources(bucket());
  const inputs = Object.fromEntries(
    all.filter(({ type }) => type.startsWith("aws:s3")).map(resource => [resource.name, resource.inputs]),
  );
  expect(inputs).toEqual({
    offsite: { bucket: "backups", objectLockEnabled: false },
    "offsite-public-access": {
      bucket: "backups",
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    "offsite-ownership": { bucket: "backups", rule: { objectOwnership: "BucketOwnerEnforced" } },
    "offsite-versioning": { bucket: "backups", versioningConfiguration: { status: "Enabled" } },
    "offsite-encryption": {
      bucket: "backups",
      rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" }, bucketKeyEnabled: false }],
    },
    "offsite-tls-only": {
      bucket: "backups",
      policy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "TlsOnly",
            Effect: "Deny",
            Principal: "*",
            Action: "s3:*",
            Resource: ["arn:aws:s3:::backups", "arn:aws:s3:::backups/*"],
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      }),
    },
    "offsite-lifecycle": {
      bucket: "backups",
      rules: [
        {
          id: "expire-noncurrent-versions",
          status: "Enabled",
          filter: { prefix: "" },
          noncurrentVersionExpiration: { noncurrentDays: 30 },
          expiration: { expiredObjectDeleteMarker: true },
        },
        {
          id: "abort-unfinished-uploads",
          status: "Enabled",
          filter: { prefix: "" },
          abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
        },
      ],
    },
  });
});

test("destroying the stack keeps the bucket and everything that guards it", async () => {
  const { all } = await recordResources(bucket({ objectLock: { mode: "GOVERNANCE", days: 7 } }));
  const guarded = all.filter(({ type }) => type.startsWith("aws:s3"));
  expect(guarded.length).toBe(8);
  expect(guarded.filter(({ protect, retainOnDelete }) => !protect || !retainOnDelete)).toEqual([]);
});

test("a host may use its own directory, and delete no version", async () => {
  const { named } = await recordResources(bucket());
  const policy = named("offsite-prom-a");
  expect(policy.type).toBe("aws:iam/rolePolicy:RolePolicy");
  expect(policy.protect).toBe(false);
  expect(policy.inputs["role"]).toBe("prom-a-role");
  expect(JSON.parse(String(policy.inputs["policy"]))).toEqual({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "ListOwnDirectory",
        Effect: "Allow",
        Action: "s3:ListBucket",
        Resource: "arn:aws:s3:::backups",
        Condition: { StringLike: { "s3:prefix": ["prom-a/*"] } },
      },
      { Sid: "Read", Effect: "Allow", Action: "s3:GetObject", Resource: ["arn:aws:s3:::backups/prom-a/*"] },
      {
        Sid: "Write",
        Effect: "Allow",
        Action: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:DeleteObject"],
        Resource: "arn:aws:s3:::backups/prom-a/*",
      },
      {
        Sid: "KeepVersions",
        Effect: "Deny",
        Action: [
          "s3:DeleteObjectVersion",
          "s3:PutBucketVersioning",
          "s3:PutLifecycleConfiguration",
          "s3:BypassGovernanceRetention",
        ],
        Resource: ["arn:aws:s3:::backups", "arn:aws:s3:::backups/*"],
      },
    ],
  });
});

test("a host without a role has its policy only as an output, and reads what it may read", async () => {
  let made: OffsiteBucket | undefined;
  const { all } = await recordResources(() => (made = bucket({ prefix: "team", hostsMayPrune: false })()));
  expect(all.filter(({ type }) => type.startsWith("aws:iam")).map(({ name }) => name)).toEqual(["offsite-prom-a"]);
  const policies = await new Promise<Record<string, string>>(resolve => made?.hostPolicies.apply(resolve));
  const policy = JSON.parse(policies["prom-b"] ?? "") as {
    Statement: { Sid: string; Action: unknown; Resource: unknown }[];
  };
  expect(policy.Statement.find(({ Sid }) => Sid === "Read")?.Resource).toEqual([
    "arn:aws:s3:::backups/team/prom-b/*",
    "arn:aws:s3:::backups/team/prom-a/*",
  ]);
  expect(policy.Statement.find(({ Sid }) => Sid === "Write")).toMatchObject({
    Action: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
    Resource: "arn:aws:s3:::backups/team/prom-b/*",
  });
});

test("Object Lock and a key of your own are options", async () => {
  const { named } = await recordResources(
    bucket({ objectLock: { mode: "COMPLIANCE", days: 14 }, kmsKey: "alias/backups" }),
  );
  expect(named("offsite", "aws:s3/bucket:Bucket").inputs["objectLockEnabled"]).toBe(true);
  expect(named("offsite-object-lock").inputs).toEqual({
    bucket: "backups",
    rule: { defaultRetention: { mode: "COMPLIANCE", days: 14 } },
  });
  expect(named("offsite-encryption").inputs["rules"]).toEqual([
    {
      applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: "alias/backups" },
      bucketKeyEnabled: true,
    },
  ]);
});

test.each([
  ["alias/backups", "arn:*:kms:*:*:key/*", "alias/backups"],
  ["arn:aws:kms:eu-central-1:1234:alias/team/backups", "arn:aws:kms:eu-central-1:1234:key/*", "alias/team/backups"],
  ["arn:aws:kms:eu-central-1:1234:key/1-2", "arn:aws:kms:eu-central-1:1234:key/1-2", undefined],
  ["1-2", "arn:*:kms:*:*:key/1-2", undefined],
])("a host may use the key %s through S3, and no other", (kmsKey, resource, alias) => {
  const policy = JSON.parse(
    renderHostPolicy({ bucketArn: "arn:aws:s3:::backups", hostName: "prom-a", mayRead: [], mayPrune: true, kmsKey }),
  ) as { Statement: unknown[] };
  expect(policy.Statement.at(-1)).toEqual({
    Sid: "UseKey",
    Effect: "Allow",
    Action: ["kms:GenerateDataKey", "kms:Decrypt"],
    Resource: resource,
    Condition: {
      StringLike: { "kms:ViaService": "s3.*.amazonaws.com*" },
      ...(alias === undefined ? {} : { "ForAnyValue:StringEquals": { "kms:ResourceAliases": alias } }),
    },
  });
});
