import type * as pulumi from "@pulumi/pulumi";
import { choice, defaultsOf, flag, part, required, secret, table, text, whole } from "../fields/group";
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
import { lostLines, privateKeyFault, SecretFault } from "../fields/secretText";
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

const sftpPathCheck: Check = value =>
  value === "" || value.endsWith("/") || value.split("/").includes("..")
    ? "must be a directory without `..` and a slash at the end. Write it out."
    : undefined;

const sftpForm = table<SftpDirectory>()({
  address: required(text({ check: addressCheck })),
  port: whole(1, 65_535, { default: 22 }),
  user: required(text({ check: loginCheck })),
  path: required(text({ check: both(lineCheck, sftpPathCheck) })),
  hostKey: required(text({ check: hostKeyCheck })),
});

export const repositoryForm = table<Repository>()({
  name: text({
    check: repositoryNameCheck,
    shown: "by kind",
    says: "name in commands and logs: `local`, `offsite`, `gcs` or `sftp`",
  }),
  path: text({ check: directoryCheck, says: "absolute directory on the host; also a mounted NAS" }),
  bucket: text({ check: bucketCheck, says: "S3 bucket; `offsite` means the bucket of `offsiteBucket`" }),
  region: text({
    check: regionCheck,
    says:
      "region of the bucket. May be left out with `endpoint` (then `us-east-1`) and for `bucket: " +
      "offsite` (then `aws:region` of the stack, or `AWS_REGION`; with a provider of its own in code, " +
      "write it); otherwise required, because rclone would ask in `us-east-1` whatever the host's AWS " +
      "settings say",
  }),
  endpoint: text({ check: urlCheck, says: "URL of an S3-compatible server other than AWS" }),
  kmsKey: text({
    check: lineCheck,
    says:
      "ARN of a KMS key that uploads to the bucket ask for; only where its policy demands that. With KMS " +
      "as the bucket's default, nothing has to be said here. The host's role needs `kms:GenerateDataKey` " +
      "and `kms:Decrypt`",
  }),
  gcs: text({ check: gcsBucketCheck, says: "Google Cloud Storage bucket" }),
  prefix: text({ check: prefixCheck, says: "directory inside the bucket" }),
  sftp: part(sftpForm, { says: "`address`, `port`, `user`, `path`, `hostKey`" }),
  credentials: secret({
    fault: credentialsFault,
    says:
      "name of the secret with the credentials file: for S3 a shared credentials file of AWS, for Google " +
      "the JSON key, for SFTP a private key; without it the host's own identity is used",
  }),
  proof: choice(Proof, {
    default: Proof.Required,
    says:
      "what an `up` that changes the job makes of a repository in which the backup user cannot write, " +
      "read and delete: `required` fails and leaves the host as before; `warn` says so and goes on, for " +
      "a place that is not there yet",
  }),
  prune: flag({
    default: true,
    says:
      "whether the host applies retention there; with `false` it deletes nothing, and every backup stays " +
      "until somebody with other rights deletes it",
  }),
});

export const repositoryDefaults = { ...defaultsOf(repositoryForm), endpointRegion: "us-east-1", sftpPort: 22 } as const;

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
  found.fields(path, repositoryForm, repository);
  if (repository.bucket !== undefined && repository.region === undefined && repository.endpoint === undefined) {
    found.add(`${path}.region`, missingRegion(repository.bucket === "offsite"));
  }
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
