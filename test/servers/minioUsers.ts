// Users with policies for MinIO, through its admin API: the usual client for that is one more program to fetch.
import { createCipheriv, createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import type { S3Credentials } from "./minio";

interface AdminAccess {
  endpoint: string;
  root: S3Credentials;
}

/** Adds a user and the policy of the same name, and attaches it. */
export async function addUser(access: AdminAccess, name: string, policy: object): Promise<S3Credentials> {
  const secret = randomBytes(20).toString("hex");
  await call(access, "add-canned-policy", { name }, Buffer.from(JSON.stringify(policy)));
  const account = Buffer.from(JSON.stringify({ secretKey: secret, status: "enabled" }));
  await call(access, "add-user", { accessKey: name }, encrypt(access.root.secretAccessKey, account));
  await call(
    access,
    "set-user-or-group-policy",
    { isGroup: "false", policyName: name, userOrGroup: name },
    Buffer.alloc(0),
  );
  return { accessKeyId: name, secretAccessKey: secret };
}

async function call(
  access: AdminAccess,
  operation: string,
  query: Record<string, string>,
  body: Buffer,
): Promise<void> {
  const url = new URL(`/minio/admin/v3/${operation}`, access.endpoint);
  for (const [key, value] of Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1))) {
    url.searchParams.append(key, value);
  }
  // A connection that is kept may be closed by the server just when the next request takes it.
  const headers = { ...signedHeaders(access.root, url, body), connection: "close" };
  const answer = await fetch(url, { method: "PUT", headers, body: new Uint8Array(body) });
  if (!answer.ok) {
    throw new Error(`MinIO ${operation}: HTTP ${answer.status} ${await answer.text()}`);
  }
}

/** Headers of a PUT request with AWS Signature Version 4. */
function signedHeaders(root: S3Credentials, url: URL, body: Buffer): Record<string, string> {
  const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/eu-central-1/s3/aws4_request`;
  const bodyHash = createHash("sha256").update(body).digest("hex");
  const names = "host;x-amz-content-sha256;x-amz-date";
  const canonicalHeaders = `host:${url.host}\nx-amz-content-sha256:${bodyHash}\nx-amz-date:${time}\n`;
  const request = ["PUT", url.pathname, url.search.slice(1), canonicalHeaders, names, bodyHash].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", time, scope, createHash("sha256").update(request).digest("hex")].join("\n");
  let key: Buffer = Buffer.from(`AWS4${root.secretAccessKey}`);
  for (const part of [...scope.split("/"), toSign]) {
    key = createHmac("sha256", key).update(part).digest();
  }
  const credential = `AWS4-HMAC-SHA256 Credential=${root.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${key.toString("hex")}`;
  return { "x-amz-content-sha256": bodyHash, "x-amz-date": time, authorization: credential };
}

/**
 * The admin API wants secrets encrypted with the root secret: salt, a byte that names the algorithm (2: PBKDF2 and
 * AES-256-GCM), nonce, then the data in numbered fragments of 16 KiB, of which we ever need one, the last (0x80).
 */
function encrypt(password: string, data: Buffer): Buffer {
  const salt = randomBytes(32);
  const nonce = randomBytes(8);
  const key = pbkdf2Sync(password, salt, 8192, 32, "sha256");
  const headerTag = seal(key, Buffer.concat([nonce, Buffer.from([0, 0, 0, 0])]), Buffer.alloc(0), Buffer.alloc(0));
  const additional = Buffer.concat([Buffer.from([0x80]), headerTag]);
  return Buffer.concat([
    salt,
    Buffer.from([2]),
    nonce,
    seal(key, Buffer.concat([nonce, Buffer.from([1, 0, 0, 0])]), data, additional),
  ]);
}

function seal(key: Buffer, nonce: Buffer, data: Buffer, additional: Buffer): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(additional);
  return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}
