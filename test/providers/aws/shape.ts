// Turns nested inputs of the Pulumi resources into what the AWS API calls the same things, and refuses what is in no
// table.
import { isObject, type Properties } from "../values";

/** Input name to name in the API; `inside` describes an object, or the members of a list. */
export type Shape = Record<string, string | { to: string; inside: Shape }>;

export const VERSIONING: Shape = { status: "Status", mfaDelete: "MFADelete" };

export const ENCRYPTION_RULE: Shape = {
  applyServerSideEncryptionByDefault: {
    to: "ApplyServerSideEncryptionByDefault",
    inside: { sseAlgorithm: "SSEAlgorithm", kmsMasterKeyId: "KMSMasterKeyID" },
  },
  bucketKeyEnabled: "BucketKeyEnabled",
};

export const OWNERSHIP_RULE: Shape = { objectOwnership: "ObjectOwnership" };

export const LOCK_RULE: Shape = {
  defaultRetention: { to: "DefaultRetention", inside: { mode: "Mode", days: "Days", years: "Years" } },
};

const FILTER_PARTS: Shape = {
  prefix: "Prefix",
  objectSizeGreaterThan: "ObjectSizeGreaterThan",
  objectSizeLessThan: "ObjectSizeLessThan",
};

export const LIFECYCLE_RULE: Shape = {
  id: "ID",
  status: "Status",
  filter: { to: "Filter", inside: { ...FILTER_PARTS, and: { to: "And", inside: FILTER_PARTS } } },
  expiration: {
    to: "Expiration",
    inside: { days: "Days", date: "Date", expiredObjectDeleteMarker: "ExpiredObjectDeleteMarker" },
  },
  noncurrentVersionExpiration: {
    to: "NoncurrentVersionExpiration",
    inside: { noncurrentDays: "NoncurrentDays", newerNoncurrentVersions: "NewerNoncurrentVersions" },
  },
  abortIncompleteMultipartUpload: {
    to: "AbortIncompleteMultipartUpload",
    inside: { daysAfterInitiation: "DaysAfterInitiation" },
  },
};

/** The converted value. Throws on any name the shape does not have, with the path to it. */
export function convert(shape: Shape, value: unknown, path: string): unknown {
  if (Array.isArray(value)) {
    return value.map((member, index) => convert(shape, member, `${path}[${index}]`));
  }
  if (!isObject(value)) {
    throw new Error(`${path} must be an object`);
  }
  const converted: Properties = {};
  for (const [key, inner] of Object.entries(value)) {
    const target = shape[key];
    if (target === undefined) {
      throw new Error(`${path}.${key} is unknown to the stand-in for the aws plugin`);
    }
    if (inner !== undefined && inner !== null) {
      converted[typeof target === "string" ? target : target.to] =
        typeof target === "string" ? inner : convert(target.inside, inner, `${path}.${key}`);
    }
  }
  return converted;
}
