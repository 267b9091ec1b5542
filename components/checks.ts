import { bandwidthForm } from "./bandwidth";
import { both, pattern } from "./fields/patterns";
import { apiCredentialsName, exporterCredentialsName, heartbeatName } from "./host/paths";

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

export const regionCheck = pattern(/^[a-z0-9-]{1,32}$/, "must be the name of a region, such as `eu-central-1`. Correct it.");

export const bandwidthCheck = pattern(
  bandwidthForm,
  "must be a rate for rclone's `--bwlimit`, or rates by time of day. " +
    "Write for example `10M`, `10M:1M` (up:down) or `08:00,1M 19:00,10M`.",
);
