// Keys of an S3 server that lack one right, on a server that enforces it: what is missing is named in its words, and no
// backup is called damaged, foreign or gone because it could not be read.
import * as fs from "node:fs";
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Proof } from "../../components/backupJob/repository";
import { renderRclone } from "../../components/backupJob/rclone";
import { DataDirectory } from "../backup/dataDirectory";
import { sharedMinio, type Minio } from "../servers/minio";
import { representatives } from "../runner/pace";

const bucket = "rights-test";
const RIGHTS = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
const data = new DataDirectory();
let minio: Minio;

/** A user with all rights but this one; from then on the host has its keys. */
async function useKeysWithout(right: string): Promise<void> {
  const allowed = RIGHTS.filter(one => one !== right);
  const resources = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: allowed, Resource: resources }] };
  const { accessKeyId, secretAccessKey } = await minio.addUser(`no-${right.slice(3)}`, policy);
  fs.writeFileSync(
    data.at("keys"),
    `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`,
    { mode: 0o600 },
  );
}

const stored = async () =>
  ((await minio.client().send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? [])
    .map(({ Key }) => Key ?? "")
    .filter(key => !key.includes("/probe-"));

beforeAll(async () => {
  minio = await sharedMinio();
  await minio.client().send(new CreateBucketCommand({ Bucket: bucket }));
  const plan = {
    name: "offsite",
    bucket,
    region: minio.region,
    endpoint: minio.endpoint,
    hasCredentials: true,
    prune: true,
    proof: Proof.Required,
  };
  fs.writeFileSync(
    data.at("rclone.conf"),
    renderRclone([plan]).replace(/^shared_credentials_file = .*$/m, `shared_credentials_file = ${data.at("keys")}`),
  );
  data.configure({
    REPOSITORY_1_NAME: "offsite",
    REPOSITORY_1_TYPE: "rclone",
    REPOSITORY_1_LOCATION: `offsite:${bucket}`,
    RCLONE_CONFIG_FILE: data.at("rclone.conf"),
    KEEP_LAST: "1",
    KEEP_MINIMUM: "1",
  });
  [1, 2, 3].forEach(n => data.block(n));
  await useKeysWithout("none");
  expect(data.call("check --repositories", "PROOF_PATIENCE_SECONDS=0").stderr).toContain(
    "✔ offsite         offsite:rights-test/prom-1: write, read, delete",
  );
  expect(data.call("run").code).toBe(0);
});
afterAll(async () => {
  data.shell.remove();
  await minio?.stop();
});

/** Without this right: what `up` and check say of the repository. */
const NAMED: [right: string, what: string][] = [
  ["s3:ListBucket", "list"],
  ["s3:GetObject", "owner.json"],
  ["s3:PutObject", "write"],
  ["s3:DeleteObject", "delete"],
];

describe.each(representatives(NAMED, ([right]) => right === "s3:GetObject"))("a key without %s", (right, what) => {
  beforeAll(() => useKeysWithout(right));

  test("is named where the repository is proven", () => {
    const words = new RegExp(
      `✘ offsite +repository offsite \\(offsite:rights-test/prom-1\\): ${what}: .*(AccessDenied|Access Denied|Forbidden|403)`,
    );
    const proven = data.call("check --repositories", "PROOF_PATIENCE_SECONDS=0");
    expect([proven.code, proven.stderr]).toEqual([8, expect.stringMatching(words)]);
    const { stdout } = data.call("check");
    expect(stdout).toMatch(words);
  });

  test("harms nothing, and lets nothing look harmed", async () => {
    const before = await stored();
    data.block(4 + RIGHTS.indexOf(right));
    const ran = data.call("run");
    const listed = data.call("list");
    const verified = data.call("verify latest");
    const all = [ran, listed, verified].map(({ stdout, stderr }) => stdout + stderr).join("");
    expect(all).not.toMatch(/damaged|DAMAGED|another machine|unexpected failure|no backups? (of|in|yet)/);
    expect([ran.code, ran.stderr]).toEqual([8, expect.stringMatching(/AccessDenied|Access Denied|Forbidden|403/)]);
    expect(await stored()).toEqual(expect.arrayContaining(before));
    expect(
      fs.existsSync(data.at("state/damaged/offsite")) ? fs.readFileSync(data.at("state/damaged/offsite"), "utf8") : "",
    ).toBe("");
  });
});

test("many objects that may not be read are refused in the server's words, and not waited for", async () => {
  await useKeysWithout("s3:GetObject");
  const names = Array.from({ length: 20 }, (_, index) => `blocks/01M7VW2GC07R5ZX6V25SJJ00${10 + index}.tar.zst`);
  await Promise.all(
    names.map(name => minio.client().send(new PutObjectCommand({ Bucket: bucket, Key: `prom-9/${name}`, Body: name }))),
  );
  // Of more than a few names of objects that it may not ask about, rclone 1.60 never comes to the end.
  const settings = `RCLONE_CONFIG_FILE="$1" TRANSFER_TIMEOUT_SECONDS=30 REPOSITORY_NAMES=(offsite) REPOSITORY_TYPES=(rclone) REPOSITORY_LOCATIONS=(offsite:${bucket})`;
  const { stdout } = data.shell.run(
    `${settings}; shift; STATE_DIR="$PWD" clean_environment; select_repository 0 prom-9; printf '%s\\n' "$@" >names; STAGE_OWNER=""
    B_OBJECT=("$@"); mapfile -t B_OBJECT_BYTES < <(printf '%.0s10\\n' "$@")
    hash_rclone <names || printf 'hash: %s\\n' "$REPOSITORY_ERROR"
    bring_batch fetched "\${!B_OBJECT[@]}" || printf 'fetch: %s\\n' "$REPOSITORY_ERROR"`,
    data.at("rclone.conf"),
    ...names,
  );
  expect(stdout).toMatch(
    /^hash: .*(AccessDenied|Access Denied|Forbidden|403).*\nfetch: .*(AccessDenied|Access Denied|Forbidden|403).*\n$/,
  );
});
