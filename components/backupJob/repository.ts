import type * as pulumi from "@pulumi/pulumi";
import { amount, choice, flag, group, secret, text } from "../fields/group";
import {
  addressCheck,
  both,
  bucketCheck,
  Check,
  directoryCheck,
  hostKeyCheck,
  lineCheck,
  loginCheck,
  pattern,
  prefixCheck,
  urlCheck,
} from "../fields/patterns";
import { Findings } from "../fields/problems";
import { lostLines, privateKeyFault, secretCheck, SecretFault } from "../fields/secretText";
import { apiCredentialsName, exporterCredentialsName, heartbeatName } from "../host/paths";

/** A directory on an SFTP server. */
export interface SftpDirectory {
  /** Name or IP address of the server. */
  address: pulumi.Input<string>;
  /** Port of the server. Defaults to 22. */
  port?: number;
  /** User on the server. */
  user: string;
  /** Directory on the server; a relative one starts in the user's home. */
  path: string;
  /** Public key of the server, as `ssh-keyscan -t ed25519 ADDRESS` prints it, without the address in front. */
  hostKey: string;
}

/**
 * One place for backups. Exactly one of `path`, `bucket`, `gcs` and `sftp` says which kind it is. Every host writes
 * below a directory of its own name.
 */
export interface Repository {
  /**
   * Name in commands and logs: lower case letters, digits and `-`. Defaults to `local`, `offsite`, `gcs` or `sftp` by
   * kind.
   */
  name?: string;
  /** Absolute directory on the host; also a mounted NAS. */
  path?: string;
  /** S3 bucket. In the configuration of a stack and in a fleet, `offsite` means the bucket that is created there. */
  bucket?: pulumi.Input<string>;
  /**
   * Region of the S3 bucket. Defaults to `us-east-1` with `endpoint`; for the bucket `offsite` to `aws:region` of the
   * stack, or `AWS_REGION` of the program. Refused where none of these says it: rclone would ask in `us-east-1`.
   */
  region?: pulumi.Input<string>;
  /** URL of an S3-compatible server other than AWS. */
  endpoint?: pulumi.Input<string>;
  /**
   * ARN of a KMS key that uploads to the S3 bucket ask for. Only needed where the bucket's policy refuses uploads that
   * do not; with KMS as the bucket's default encryption nothing has to be said. The host's role needs
   * `kms:GenerateDataKey` and `kms:Decrypt`.
   */
  kmsKey?: pulumi.Input<string>;
  /** Google Cloud Storage bucket. */
  gcs?: pulumi.Input<string>;
  /** Directory inside the bucket, without slashes at its ends. */
  prefix?: string;
  /** Directory on an SFTP server. */
  sftp?: SftpDirectory;
  /**
   * The whole text of the credentials file; always kept secret; on the host it belongs to root,
   * and only the group of the backup user can read it. For S3 a shared
   * credentials file of AWS, for Google Cloud Storage the JSON key of a service account, for SFTP a private key.
   * Without it the host's own identity is used, which is the better way on AWS and Google Cloud.
   */
  credentials?: pulumi.Input<string>;
  /**
   * Whether the host applies retention there. Defaults to true; for the bucket `offsite` with `hostsMayPrune: false`,
   * to false. With false it deletes nothing there, and somebody else has to.
   */
  prune?: boolean;
  /**
   * Each `pulumi up` that changes the job has the backup user write, read and delete a small object in the repository.
   * Defaults to `required`: where that fails, the step fails and the host is as before. With `warn` it says so and goes
   * on.
   */
  proof?: Proof;
}

/** What `pulumi up` makes of a repository that the host cannot use. */
export const Proof = {
  /** The step fails, and the host is as before. */
  Required: "required",
  /** The step warns: for places that are not there yet. */
  Warn: "warn",
} as const;
export type Proof = (typeof Proof)[keyof typeof Proof];

/** A place for backups. */
export const repositoryDefaults = { proof: Proof.Required, endpointRegion: "us-east-1" } as const;

const sftpSchema = group({ address: text, port: amount.optional(), user: text, path: text, hostKey: text });

export const repositorySchema = group({
  name: text.optional(),
  path: text.optional(),
  bucket: text.optional(),
  region: text.optional(),
  endpoint: text.optional(),
  kmsKey: text.optional(),
  gcs: text.optional(),
  prefix: text.optional(),
  sftp: sftpSchema.optional(),
  credentials: secret.optional(),
  prune: flag.optional(),
  proof: choice(Proof).optional(),
});

export const repositoryNameCheck = both(
  pattern(
    /^[a-z][a-z0-9-]{0,31}$/,
    "must be lower case letters, digits and `-`, at most 32, starting with a letter. Choose another name.",
  ),
  pattern(
    new RegExp(`^(?!(${apiCredentialsName}|${exporterCredentialsName}|${heartbeatName})$)`),
    "is the name of another file of credentials on the host. Choose another name.",
  ),
);

export const gcsBucketCheck = pattern(
  /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
  "must be the name of a bucket: lower case letters, digits, `.`, `_` and `-`. Correct the name.",
);

export const regionCheck = pattern(
  /^[a-z0-9-]{1,32}$/,
  "must be the name of a region, such as `eu-central-1`. Correct it.",
);

/** Of a shared credentials file of AWS. */
const awsFault: SecretFault = text => {
  if (/^\s*\[[^\]]+\]\s*$/m.test(text)) {
    return undefined;
  }
  return /^\s*\[[^\]]+\]/.test(text) ? lostLines : "is no credentials file of AWS: it has no line such as `[default]`";
};

/** Of the key of a service account. */
const googleFault: SecretFault = text => {
  try {
    return typeof JSON.parse(text) === "object" ? undefined : "is no JSON text, as the key of a service account is";
  } catch {
    return "is no JSON text, as the key of a service account is";
  }
};

/** Of what lets a host into a repository of this kind. */
export function credentialsFault(repository: Pick<Repository, "bucket" | "gcs" | "sftp">): SecretFault | undefined {
  if (repository.sftp !== undefined) {
    return privateKeyFault;
  }
  if (repository.gcs !== undefined) {
    return googleFault;
  }
  return repository.bucket === undefined ? undefined : awsFault;
}

export function repositoryProblems(found: Findings, path: string, repository: Repository): void {
  const kinds = (["path", "bucket", "gcs", "sftp"] as const).filter(kind => repository[kind] !== undefined);
  if (kinds.length !== 1) {
    found.add(
      path,
      `must have exactly one of \`path\`, \`bucket\`, \`gcs\` and \`sftp\`, and has ` +
        `${kinds.length === 0 ? "none" : kinds.length}. Keep one.`,
    );
    return;
  }
  found.text(`${path}.name`, repository.name, repositoryNameCheck);
  found.text(`${path}.path`, repository.path, directoryCheck);
  found.text(`${path}.bucket`, repository.bucket, bucketCheck);
  found.text(`${path}.gcs`, repository.gcs, gcsBucketCheck);
  found.text(`${path}.region`, repository.region, regionCheck);
  found.text(`${path}.endpoint`, repository.endpoint, urlCheck);
  found.text(`${path}.kmsKey`, repository.kmsKey, lineCheck);
  found.text(`${path}.prefix`, repository.prefix, prefixCheck);
  found.text(`${path}.credentials`, repository.credentials, secretCheck(credentialsFault(repository)));
  if (repository.bucket !== undefined && repository.region === undefined && repository.endpoint === undefined) {
    found.add(`${path}.region`, missingRegion(repository.bucket === "offsite"));
  }
  const { sftp } = repository;
  found.text(`${path}.sftp.address`, sftp?.address, addressCheck);
  found.whole(`${path}.sftp.port`, sftp?.port, 1, 65_535);
  found.text(`${path}.sftp.user`, sftp?.user, loginCheck);
  found.text(`${path}.sftp.path`, sftp?.path, both(lineCheck, sftpPathCheck));
  found.text(`${path}.sftp.hostKey`, sftp?.hostKey, hostKeyCheck);
  foreignSettings(found, path, repository, kinds[0] ?? "path");
}

/** Without one, rclone asks for the bucket in `us-east-1`, whatever the settings of the host say. */
function missingRegion(offsite: boolean): string {
  return offsite
    ? "is missing, and this stack does not say in which region it works. " +
        "Set it, or run `pulumi config set aws:region REGION`."
    : "is missing. Write the region of the bucket, such as `eu-central-1`, or the `endpoint` of a server other than " +
        "AWS.";
}

const sftpPathCheck: Check = value =>
  value === "" || value.endsWith("/") || value.split("/").includes("..")
    ? "must be a directory without `..` and a slash at the end. Write it out."
    : undefined;

const allowed = {
  path: ["name", "prune", "proof", "path"],
  bucket: ["name", "prune", "proof", "bucket", "region", "endpoint", "kmsKey", "prefix", "credentials"],
  gcs: ["name", "prune", "proof", "gcs", "endpoint", "prefix", "credentials"],
  sftp: ["name", "prune", "proof", "sftp", "credentials"],
};

function foreignSettings(found: Findings, path: string, repository: Repository, kind: keyof typeof allowed): void {
  for (const [key, value] of Object.entries(repository)) {
    if (value !== undefined && !allowed[kind].includes(key)) {
      found.add(`${path}.${key}`, `means nothing for a repository with \`${kind}\`. Remove it.`);
    }
  }
}

/** A repository without its secret, every other leaf known. */
export type PlainRepository = pulumi.Unwrap<Omit<Repository, "credentials">> & { hasCredentials: boolean };

/** Everything but the secret: one secret leaf would make the whole payload unreadable in the preview. */
export function withoutCredentials({
  credentials,
  ...rest
}: Repository): Omit<Repository, "credentials"> & { hasCredentials: boolean } {
  return { ...rest, hasCredentials: credentials !== undefined };
}

/** What a repository is called when its settings give no name. */
export function repositoryName(repository: { name?: string; path?: unknown; bucket?: unknown; gcs?: unknown }): string {
  if (repository.name !== undefined) {
    return repository.name;
  }
  if (repository.path !== undefined) {
    return "local";
  }
  if (repository.bucket !== undefined) {
    return "offsite";
  }
  return repository.gcs !== undefined ? "gcs" : "sftp";
}
