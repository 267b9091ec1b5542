// A repository in a bucket, as rclone and the host command see it.
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { S3Credentials } from "../servers/minio";
import type { Remote } from "./site";

/** Writes rclone's configuration into the directory. `location` is bucket and prefix. */
export function s3Remote(directory: string, endpoint: string, credentials: S3Credentials, location: string): Remote {
  const rcloneConfiguration = path.join(directory, "rclone.conf");
  const lines = {
    type: "s3",
    provider: "Other",
    region: "eu-central-1",
    endpoint,
    force_path_style: "true",
    no_check_bucket: "true",
    access_key_id: credentials.accessKeyId,
    secret_access_key: credentials.secretAccessKey,
  };
  writeFileSync(
    rcloneConfiguration,
    `[bench]\n${Object.entries(lines)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join("")}`,
    { mode: 0o600 },
  );
  return { location: `bench:${location}`, rcloneConfiguration };
}
