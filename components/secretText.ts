import { lostLines, privateKeyFault, SecretFault } from "./fields/secretText";
import { Repository } from "./settings";

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
