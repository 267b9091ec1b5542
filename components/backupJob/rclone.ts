import { paths } from "../host/paths";
import { Proof } from "./repository";

/** A directory on an SFTP server. */
export interface SftpPlan {
  address: string;
  port: number;
  user: string;
  path: string;
  /** Public key of the server, as `ssh-keyscan` prints it without the address. */
  hostKey: string;
}

/** One place for backups, as the host sees it. Exactly one of `path`, `bucket`, `gcs` and `sftp` is set. */
export interface RepositoryPlan {
  name: string;
  path?: string;
  bucket?: string;
  prefix?: string;
  region?: string;
  endpoint?: string;
  kmsKey?: string;
  gcs?: string;
  sftp?: SftpPlan;
  /** Whether a credentials file of this repository's name lies on the host. */
  hasCredentials: boolean;
  /** Whether the host applies retention there. */
  prune: boolean;
  /** What a step makes of a repository that the host cannot use. */
  proof: Proof;
}

/** What the host command gets: `path` is used directly, everything else through rclone. */
export function repositoryLocation(repository: RepositoryPlan): { type: string; location: string } {
  if (repository.path !== undefined) {
    return { type: "path", location: repository.path };
  }
  const root = repository.bucket ?? repository.gcs ?? repository.sftp?.path ?? "";
  const location = repository.prefix ? `${root}/${repository.prefix}` : root;
  return { type: "rclone", location: `${repository.name}:${location}` };
}

function credentialsFile(repository: RepositoryPlan): string {
  return `${paths.credentials}/${repository.name}`;
}

function s3Section(repository: RepositoryPlan): Record<string, string> {
  const { endpoint, region, kmsKey } = repository;
  return {
    type: "s3",
    // "Other" sends nothing but what every S3 server knows.
    provider: endpoint === undefined ? "AWS" : "Other",
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint, force_path_style: "true" }),
    env_auth: "true",
    ...(repository.hasCredentials ? { shared_credentials_file: credentialsFile(repository) } : {}),
    ...(kmsKey === undefined ? {} : { server_side_encryption: "aws:kms", sse_kms_key_id: kmsKey }),
    // With KMS, also as a bucket's default that nobody told us of, an ETag is no checksum; see
    // scripts/lib/repository/rclone.sh.
    use_multipart_etag: "false",
    // The bucket exists, and a host has no right to ask for more than its own prefix.
    no_check_bucket: "true",
    // The answer to an upload says that it is there; some servers answer a HEAD right after it with 501 or 403. Sizes
    // are compared by a listing.
    no_head: "true",
  };
}

function gcsSection(repository: RepositoryPlan): Record<string, string> {
  return {
    type: "google cloud storage",
    ...(repository.hasCredentials ? { service_account_file: credentialsFile(repository) } : { env_auth: "true" }),
    ...(repository.endpoint === undefined ? {} : { endpoint: repository.endpoint }),
    bucket_policy_only: "true",
    no_check_bucket: "true",
  };
}

function sftpSection(sftp: SftpPlan, repository: RepositoryPlan): Record<string, string> {
  return {
    type: "sftp",
    host: sftp.address,
    port: String(sftp.port),
    user: sftp.user,
    ...(repository.hasCredentials ? { key_file: credentialsFile(repository) } : {}),
    known_hosts_file: paths.knownHosts,
    // Left to find out, rclone asks for a shell at every call, and fails because it may not note the answer in its
    // configuration.
    shell_type: "none",
    // The other side need not have a shell to compute checksums in: a run compares sizes there, `verify` reads
    // everything back.
    disable_hashcheck: "true",
  };
}

function section(repository: RepositoryPlan): Record<string, string> {
  if (repository.bucket !== undefined) {
    return s3Section(repository);
  }
  return repository.sftp === undefined ? gcsSection(repository) : sftpSection(repository.sftp, repository);
}

function line([key, value]: [string, string]): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this refuses
  if (/[\0-\x1f\x7f]/.test(value)) {
    throw new RangeError(`${key} of a repository holds a control character, which rclone's configuration cannot hold`);
  }
  return `${key} = ${value}`;
}

/**
 * The configuration of rclone, without any secret: it names the files that hold them. Throws `RangeError` on
 * control characters, which would start a setting of their own.
 */
export function renderRclone(repositories: RepositoryPlan[]): string {
  return repositories
    .filter(repository => repository.path === undefined)
    .map(repository => [`[${repository.name}]`, ...Object.entries(section(repository)).map(line)].join("\n") + "\n")
    .join("\n");
}

/** Keys of the SFTP servers, in the format of ssh; empty when there is none. */
export function renderKnownHosts(repositories: RepositoryPlan[]): string {
  return repositories
    .flatMap(({ sftp }) => (sftp ? [sftp] : []))
    .map(({ address, port, hostKey }) => `${port === 22 ? address : `[${address}]:${port}`} ${hostKey}\n`)
    .join("");
}
