/** A check of one plain value: what is wrong with it and what to do, or nothing. Never repeats the value. */
export type Check = (value: string) => string | undefined;

export function pattern(form: RegExp, text: string): Check {
  return value => (form.test(value) ? undefined : text);
}

/** Any text of one line. Control characters are refused, because one line on the host would become two. */
export const lineCheck: Check = value => {
  // eslint-disable-next-line no-control-regex -- control characters are what this refuses
  return /[\0-\x1f\x7f\u0085\u2028\u2029]/.test(value)
    ? "holds a line break or another control character. Write it on one line."
    : undefined;
};

/** The first complaint of several checks. */
export function both(...checks: Check[]): Check {
  return value => checks.map(check => check(value)).find(text => text !== undefined);
}

export const hostNameCheck = pattern(
  /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
  "must be lower case letters, digits, `.` and `-`, at most 63, with a letter or digit at both ends, because " +
    "resources and directories carry it. Rename the host.",
);

export const addressCheck = pattern(
  /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/,
  "must be a host name or an IP address, without user, port or scheme. Give those in `user` and `port`.",
);
export const userCheck = pattern(
  /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/,
  "must be the name of a user on the host. Write it as `id -un` prints it.",
);
/** Who logs in elsewhere, which is a name of that side: a mail address, a number, a domain with a backslash. */
export const loginCheck = pattern(
  /^[\p{L}\p{N}_][\p{L}\p{N}._@\\+$=-]{0,126}(?<!\\)$/u,
  "must be the name that is logged in with. Write it as you would in front of the `@` of `ssh`.",
);
export const unitCheck = pattern(
  /^[A-Za-z0-9:_.@\\-]{1,247}\.service$/,
  "must be a systemd unit with its ending. Write for example `prometheus.service`.",
);
export const hostKeyCheck = pattern(
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{32,}={0,3}$/,
  "is not a public host key. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in " +
    "front.",
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

export const urlCheck = pattern(
  /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(\/[A-Za-z0-9._~/%-]*)?$/,
  "must be a URL with `http://` or `https://`, a host, and at most a path; no user, password or query. Move " +
    "credentials to their own setting.",
);

export const bucketCheck = pattern(
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  "must be the name of a bucket: 3 to 63 lower case letters, digits, `.` and `-`. Correct the name.",
);

export const prefixCheck = pattern(
  /^[A-Za-z0-9._=-]+(\/[A-Za-z0-9._=-]+)*$/,
  "must be letters, digits, `._=-` and single slashes, with none at the ends. Correct it, or leave it out.",
);

export const labelNameCheck = pattern(
  /^[a-zA-Z_][a-zA-Z0-9_]*$/,
  "is not a name that Prometheus takes for a label. Use letters, digits and `_`.",
);
