import { both, lineCheck, pattern } from "../fields/patterns";

export const targetNameCheck = pattern(
  /^[a-z][a-z0-9-]{0,31}$/,
  "must be lower case letters, digits and `-`, at most 32, starting with a letter. Choose another name.",
);
/** With a query, because some receivers are told the tenant there; never with a user or a password. */
export const remoteUrlCheck = pattern(
  /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\/[A-Za-z0-9._~/%:-]*)?(\?[A-Za-z0-9._~/%:&=+-]*)?$/,
  "must be a URL with `http://` or `https://` and a host; no user and no password. Move credentials to `basicAuth` " +
    "or `bearerToken`.",
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
  "content-encoding content-length content-type x-prometheus-remote-write-version user-agent connection keep-alive " +
  "proxy-authenticate proxy-authorization www-authenticate accept-encoding host";
export const headerNameCheck = both(
  pattern(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "is not the name of an HTTP header. Correct it."),
  value =>
    value.toLowerCase() === "authorization"
      ? "would show its secret to everybody who reads the configuration. Use `basicAuth` or `bearerToken`."
      : undefined,
  value =>
    reservedHeaders.split(" ").includes(value.toLowerCase())
      ? "is a header that Prometheus sets itself. Remove it."
      : undefined,
);
export const headerValueCheck = both(
  lineCheck,
  pattern(/^[\x20-\x7e]*$/, "holds characters that an HTTP header cannot carry. Use plain ASCII."),
);
export const pemCheck = pattern(
  /^\s*(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/,
  "must be certificates as PEM text, with their BEGIN and END lines and nothing else. Paste the file.",
);
