import { bandwidthForm } from "./bandwidth";
import { calendarLines } from "./render/calendar";
import { apiCredentialsName, exporterCredentialsName, heartbeatName } from "./render/paths";
import { ScheduleError, scheduleFacts, spreadSchedule } from "./render/schedule";

/** A check of one plain value: what is wrong with it and what to do, or nothing. Never repeats the value. */
export type Check = (value: string) => string | undefined;

function pattern(form: RegExp, text: string): Check {
  return value => (form.test(value) ? undefined : text);
}

/** Any text of one line. Control characters are refused, because one line on the host would become two. */
export const lineCheck: Check = value => {
  // eslint-disable-next-line no-control-regex -- control characters are what this refuses
  return /[\0-\x1f\x7f\u0085\u2028\u2029]/.test(value) ? "holds a line break or another control character. Write it on one line." : undefined;
};

/** The first complaint of several checks. */
export function both(...checks: Check[]): Check {
  return value => checks.map(check => check(value)).find(text => text !== undefined);
}

export const hostNameCheck = pattern(
  /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
  "must be lower case letters, digits, `.` and `-`, at most 63, with a letter or digit at both ends, because resources and directories carry it. Rename the host.",
);
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
export const backupNameCheck = pattern(
  /^(latest|[0-9]{8}T[0-9]{6}Z)$/,
  "must be `latest` or the name of a backup. Write it as `prometheus-backup.sh list --host NAME` prints it, for example `20261122T020000Z`.",
);
/** From a file: the prompt of that command takes one line. */
export const storeSecret =
  "Store it with `pulumi config set --secret prometheus-backup:NAME < FILE`, and write that NAME here.";
export const secretNameCheck = pattern(
  /^[A-Za-z][A-Za-z0-9_-]{0,63}$/,
  `must be the name of a secret of this stack, not the secret itself. ${storeSecret}`,
);
export const addressCheck = pattern(
  /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/,
  "must be a host name or an IP address, without user, port or scheme. Give those in `user` and `port`.",
);
export const userCheck = pattern(/^[a-z_][a-z0-9_-]{0,31}$/, "must be the name of a user on the host. Write it as `id -un` prints it.");
/** Who logs in elsewhere, which is a name of that side: a mail address, a number, a domain with a backslash. */
export const loginCheck = pattern(
  /^[\p{L}\p{N}_][\p{L}\p{N}._@\\+$=-]{0,126}(?<!\\)$/u,
  "must be the name that is logged in with. Write it as you would in front of the `@` of `ssh`.",
);
export const unitCheck = pattern(
  /^[A-Za-z0-9:_.@-]{1,247}\.service$/,
  "must be a systemd unit with its ending. Write for example `prometheus.service`.",
);
export const hostKeyCheck = pattern(
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{32,}={0,3}$/,
  "is not a public host key. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in front.",
);
export const directoryCheck = both(lineCheck, value => {
  const isPlain = value.startsWith("/") && value !== "/" && !/\/(\.\.?)?(\/|$)/.test(value);
  return isPlain ? undefined : "must be an absolute path without `..`, `//` and a slash at the end. Write it out.";
});
/** For files that this module writes: their path travels in a line of its own, between blanks. */
export const filePathCheck = both(
  directoryCheck,
  pattern(/^[A-Za-z0-9._/@+-]+$/, "must be a path of letters, digits and `._@+-`. Choose another path."),
);
export const rulesPathCheck = both(
  filePathCheck,
  pattern(/\.(yml|yaml)$/, "must end in `.yml` or `.yaml`, or no `rule_files` entry would match it. Add the ending."),
);
export const urlCheck = pattern(
  /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(\/[A-Za-z0-9._~/%-]*)?$/,
  "must be a URL with `http://` or `https://`, a host, and at most a path; no user, password or query. Move credentials to their own setting.",
);
export const listenCheck = pattern(
  /^([0-9.]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}( ([0-9.]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5})*$/,
  "must be IP addresses with ports, between blanks. Write for example `0.0.0.0:9090`.",
);
export const loopbackCheck = pattern(
  /^(127(\.[0-9]{1,3}){3}|\[::1\]):[0-9]{1,5}$/,
  "must be a loopback address with a port. Write for example `127.0.0.1:9091`.",
);
export const bucketCheck = pattern(
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  "must be the name of a bucket: 3 to 63 lower case letters, digits, `.` and `-`. Correct the name.",
);
export const gcsBucketCheck = pattern(
  /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
  "must be the name of a bucket: lower case letters, digits, `.`, `_` and `-`. Correct the name.",
);
export const prefixCheck = pattern(
  /^[A-Za-z0-9._=-]+(\/[A-Za-z0-9._=-]+)*$/,
  "must be letters, digits, `._=-` and single slashes, with none at the ends. Correct it, or leave it out.",
);
export const regionCheck = pattern(/^[a-z0-9-]{1,32}$/, "must be the name of a region, such as `eu-central-1`. Correct it.");
export const roleCheck = pattern(
  /^[A-Za-z0-9+=,.@_-]{1,64}$/,
  "must be the name of an IAM role, not its ARN. Write what stands behind the last slash.",
);
export const bandwidthCheck = pattern(
  bandwidthForm,
  "must be a rate for rclone's `--bwlimit`, or rates by time of day. " +
    "Write for example `10M`, `10M:1M` (up:down) or `08:00,1M 19:00,10M`.",
);
export const jobNameCheck = pattern(
  /^[^"\\{}]{1,200}$/,
  "must be the `job_name` of a scrape job, without quotes, braces and backslashes. Correct it.",
);
export const labelNameCheck = pattern(
  /^[a-zA-Z_][a-zA-Z0-9_]*$/,
  "is not a name that Prometheus takes for a label. Use letters, digits and `_`.",
);
/** Label values are templates in Prometheus; a brace would be read as code there. */
export const labelValueCheck = both(
  lineCheck,
  pattern(/^(?!.*\{\{)/, "holds `{{`, which Prometheus would run as a template. Remove it."),
);
export const targetNameCheck = pattern(
  /^[a-z][a-z0-9-]{0,31}$/,
  "must be lower case letters, digits and `-`, at most 32, starting with a letter. Choose another name.",
);
/** With a query, because some receivers are told the tenant there; never with a user or a password. */
export const remoteUrlCheck = pattern(
  /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\/[A-Za-z0-9._~/%:-]*)?(\?[A-Za-z0-9._~/%:&=+-]*)?$/,
  "must be a URL with `http://` or `https://` and a host; no user and no password. Move credentials to `basicAuth` or `bearerToken`.",
);
export const tenantCheck = pattern(
  /^[A-Za-z0-9!_.*'()-]{1,150}$/,
  "must be letters, digits and `!_.*'()-`, at most 150. Write the tenant as its administrators call it.",
);
export const vmTenantCheck = pattern(
  /^([0-9]{1,10}(:[0-9]{1,10})?|multitenant)$/,
  "must be the number of an account, with `:` and that of a project if there is one. Write for example `0` or `42:7`.",
);
const reservedHeaders =
  "content-encoding content-length content-type x-prometheus-remote-write-version user-agent connection keep-alive proxy-authenticate proxy-authorization www-authenticate accept-encoding host";
export const headerNameCheck = both(
  pattern(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "is not the name of an HTTP header. Correct it."),
  value => (value.toLowerCase() === "authorization" ? "would show its secret to everybody who reads the configuration. Use `basicAuth` or `bearerToken`." : undefined),
  value => (reservedHeaders.split(" ").includes(value.toLowerCase()) ? "is a header that Prometheus sets itself. Remove it." : undefined),
);
export const headerValueCheck = both(lineCheck, pattern(/^[\x20-\x7e]*$/, "holds characters that an HTTP header cannot carry. Use plain ASCII."));
export const pemCheck = pattern(
  /^\s*(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/,
  "must be certificates as PEM text, with their BEGIN and END lines and nothing else. Paste the file.",
);
export const timeZoneCheck: Check = value => {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: value });
    return undefined;
  } catch {
    return "is not a time zone. Write the name that `timedatectl` prints, such as `Europe/Berlin`.";
  }
};

/** What is wrong with a schedule for a host; with a zone, as timers of systemd in that zone. */
export function scheduleCheck(schedule: string, spreadMinutes: number, hostName: string, timerZone?: string): string | undefined {
  try {
    scheduleFacts(schedule, "UTC");
    const moved = spreadSchedule(schedule, spreadMinutes, hostName);
    if (timerZone !== undefined) {
      calendarLines(moved, timerZone);
    }
    return undefined;
  } catch (error) {
    if (error instanceof ScheduleError) {
      return error.message;
    }
    throw error;
  }
}
