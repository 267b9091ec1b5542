import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OffsiteBucket } from "../../components/offsiteBucket/component";
import { sharedMinio, type Minio } from "../servers/minio";
import { createTestStack, type TestStack } from "./harness";

// The bucket made by the real engine, and each host's policy given to a user of a server that enforces it.
const bucketName = "policy-test";
let minio: Minio;
let stack: TestStack;
let root: S3Client;
let host: S3Client;
let reader: S3Client;
beforeAll(async () => {
  minio = await sharedMinio();
  const program = () => {
    const hosts = [
      { hostName: "prom-1" },
      { hostName: "prom-10" },
      { hostName: "reader", mayRead: ["prom-1"] },
      { hostName: "unpruned" },
    ];
    const { hostPolicies } = new OffsiteBucket("offsite", { bucketName, prefix: "backups", hosts });
    return Promise.resolve({ hostPolicies });
  };
  stack = await createTestStack({ program, environment: minio.environment });
  const policies = (await stack.up()).outputs.hostPolicies?.value as Record<string, string>;
  root = minio.client();
  host = minio.client(await minio.addUser("prom-1", JSON.parse(policies["prom-1"] ?? "") as object));
  reader = minio.client(await minio.addUser("reader", JSON.parse(policies["reader"] ?? "") as object));
  for (const name of ["prom-1", "prom-10"]) {
    await root.send(new PutObjectCommand({ Bucket: bucketName, Key: `backups/${name}/owner.json`, Body: name }));
  }
});
afterAll(async () => {
  stack?.remove();
  await minio?.stop();
});

const put = (Key: string) => new PutObjectCommand({ Bucket: bucketName, Key, Body: "text" });
const get = (Key: string) => new GetObjectCommand({ Bucket: bucketName, Key });
const remove = (Key: string, VersionId?: string) => new DeleteObjectCommand({ Bucket: bucketName, Key, VersionId });
const list = (Prefix?: string) => new ListObjectsV2Command({ Bucket: bucketName, Prefix });
const denied = { name: "AccessDenied" };

async function versionsOf(key: string): Promise<string[]> {
  const { Versions = [] } = await root.send(new ListObjectVersionsCommand({ Bucket: bucketName, Prefix: key }));
  return Versions.map(version => version.VersionId ?? "");
}

test("a host writes, reads, lists and deletes below its own directory", async () => {
  await host.send(put("backups/prom-1/blocks/a"));
  const read = await host.send(get("backups/prom-1/blocks/a"));
  expect(await read.Body?.transformToString()).toBe("text");
  const listed = await host.send(list("backups/prom-1/"));
  expect(listed.Contents?.map(object => object.Key)).toEqual(["backups/prom-1/blocks/a", "backups/prom-1/owner.json"]);
  await host.send(remove("backups/prom-1/blocks/a"));
  await expect(host.send(get("backups/prom-1/blocks/a"))).rejects.toMatchObject({ name: "NoSuchKey" });
});

test("what it deleted or overwrote stays as a version, which it cannot delete", async () => {
  await host.send(put("backups/prom-1/blocks/b"));
  await host.send(put("backups/prom-1/blocks/b"));
  await host.send(remove("backups/prom-1/blocks/b"));
  const versions = await versionsOf("backups/prom-1/blocks/b");
  expect(versions).toHaveLength(2);
  for (const version of versions) {
    await expect(host.send(remove("backups/prom-1/blocks/b", version))).rejects.toMatchObject(denied);
  }
  expect(await versionsOf("backups/prom-1/blocks/b")).toEqual(versions);
});

test.each(["backups/prom-10/owner.json", "backups/prom-1", "prom-1/owner.json", "owner.json"])(
  "it neither writes, reads nor deletes %s",
  async key => {
    await expect(host.send(put(key))).rejects.toMatchObject(denied);
    await expect(host.send(get(key))).rejects.toMatchObject(denied);
    await expect(host.send(remove(key))).rejects.toMatchObject(denied);
  },
);

// `backups/prom-1` without the slash would show what lies below `backups/prom-10/` as well.
test.each(["backups/prom-10/", "backups/prom-1", "backups/prom-", "backups/", "", undefined])(
  "it does not list with the prefix %s",
  async prefix => {
    await expect(host.send(list(prefix))).rejects.toMatchObject(denied);
  },
);

test("it changes neither versioning nor lifecycle of the bucket", async () => {
  const suspended = new PutBucketVersioningCommand({
    Bucket: bucketName,
    VersioningConfiguration: { Status: "Suspended" },
  });
  await expect(host.send(suspended)).rejects.toMatchObject(denied);
  const rule = { ID: "all", Status: "Enabled" as const, Filter: { Prefix: "" }, Expiration: { Days: 1 } };
  const lifecycle = new PutBucketLifecycleConfigurationCommand({
    Bucket: bucketName,
    LifecycleConfiguration: { Rules: [rule] },
  });
  await expect(host.send(lifecycle)).rejects.toMatchObject(denied);
});

test("a host that may read another one's directory reads and lists it, and changes nothing there", async () => {
  const read = await reader.send(get("backups/prom-1/owner.json"));
  expect(await read.Body?.transformToString()).toBe("prom-1");
  expect((await reader.send(list("backups/prom-1/"))).Contents?.map(object => object.Key)).toContain(
    "backups/prom-1/owner.json",
  );
  await expect(reader.send(put("backups/prom-1/owner.json"))).rejects.toMatchObject(denied);
  await expect(reader.send(remove("backups/prom-1/owner.json"))).rejects.toMatchObject(denied);
  await expect(reader.send(list("backups/prom-10/"))).rejects.toMatchObject(denied);
});

test("destroy leaves the protected bucket and what is in it", async () => {
  const refused = await stack.tryDestroy();
  expect(refused.ok).toBe(false);
  expect(refused.output).toContain("protected");
  await stack.destroy({ excludeProtected: true });
  expect(await versionsOf("backups/prom-1/owner.json")).toHaveLength(1);
  expect(await root.send(list("backups/prom-1/owner.json"))).toMatchObject({ KeyCount: 1 });
});
