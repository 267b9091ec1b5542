import { defaultsOf, flag, part, required, table, text, words } from "../fields/group";
import { both, Check, filePathCheck, urlCheck } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { HostArgs } from "../host/connection";

/** A release of VictoriaMetrics, to be installed instead of the distribution's package. */
export interface VictoriaMetricsDownload {
  /**
   * URL of the `tar.gz` with the program `victoria-metrics-prod`, for the host's processor, as seen from the host.
   *
   * Changing it, with its checksum, is how VictoriaMetrics is upgraded: the new program is fetched and checked, then
   * the server is restarted once.
   */
  url: string;
  /** SHA-256 of that file in hex. What else comes from the URL is refused, and nothing is changed. */
  sha256: string;
}

/** A VictoriaMetrics server on the host, for metrics that are kept longer than Prometheus keeps them. */
export interface VictoriaMetricsSettings {
  /**
   * Whether it is installed. Defaults to true where these settings are given; false takes one host out of what hosts
   * share.
   */
  enabled?: boolean;
  /** The release to install. Defaults to the distribution's package `victoria-metrics`, which Debian has. */
  download?: VictoriaMetricsDownload;
  /**
   * IP address and port to listen on. Defaults to `127.0.0.1:8428`.
   *
   * The server asks nobody for credentials: whoever reaches this address reads, writes and deletes. An address other
   * than a loopback one makes every preview warn.
   */
  listen?: string;
  /**
   * Where the data lie. Defaults to `/var/lib/victoria-metrics-data`.
   *
   * It must be empty, missing, or hold data of VictoriaMetrics that belong to `_victoria-metrics`. It is not the
   * package's own `/var/lib/victoria-metrics`, because purging the package deletes that. Changing it moves nothing: the
   * old data stay where they are and are no longer served.
   */
  dataDirectory?: string;
  /**
   * How long samples are kept, in days, weeks or years, such as `400d`. Defaults to `1y`. A shorter one deletes what is
   * older.
   */
  retention?: string;
  /**
   * Age at which the server deletes its own snapshots, in hours, days, weeks or years. Defaults to `3d`.
   *
   * Older versions keep forgotten snapshots for ever, and newer ones have a default; so it is always set. It must be
   * longer than a run of `vmbackup` takes.
   */
  snapshotsMaxAge?: string;
  /**
   * Further flags of the server, such as `-memory.allowedPercent=30`. Defaults to none.
   *
   * Flags that this module sets itself are refused, and so are those that hold a password: they would stand in the
   * process list and in the state.
   */
  flags?: string[];
}

const listenCheck: Check = value => {
  const [, port] = /^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})$/.exec(value) ?? [];
  return port !== undefined && Number(port) >= 1024 && Number(port) <= 65_535
    ? undefined
    : "must be one IP address with a port from 1024 to 65535, because the server runs without any right of root. " +
        "Write for example `127.0.0.1:8428`.";
};

/** Places that the server's unit hides from it or that do not outlive a restart. */
const dataDirectoryCheck: Check = both(filePathCheck, value =>
  /^\/(home|root|run|tmp|var\/tmp|dev|proc|sys|boot|etc|usr)(\/|$)/.test(value)
    ? "must be a place for data, which the server's unit can open to it. Choose a directory below `/var/lib`, " +
      "`/srv` or a disk of its own."
    : undefined,
);

const retentionCheck: Check = value =>
  /^[1-9][0-9]{0,3}[dwy]$/.test(value)
    ? undefined
    : "must be a number of days, weeks or years with its unit. Write for example `400d` or `2y`.";

const snapshotAgeCheck: Check = value =>
  /^[1-9][0-9]{0,3}[hdwy]$/.test(value)
    ? undefined
    : "must be a number of hours, days, weeks or years with its unit. Write for example `3d`.";

const checksumCheck: Check = value =>
  /^[0-9a-f]{64}$/.test(value)
    ? undefined
    : "must be a SHA-256 checksum: 64 hex digits in lower case. Paste what `sha256sum FILE` prints for the file " +
      "that you have checked.";

const own = ["storageDataPath", "retentionPeriod", "httpListenAddr", "enableTCP6", "snapshotsMaxAge"];
const unreachable = /^(tls.*|mtls.*|http\.pathPrefix|httpListenAddr\..*|httpAuth\..*|dryRun|help|version|envflag\..*)$/;
const secret = /password|secret|authkey|token|license/i;

const flagCheck: Check = value => {
  const [, name] = /^--?([A-Za-z][A-Za-z0-9._-]*)(?:=[A-Za-z0-9._:/,@+-]*)?$/.exec(value) ?? [];
  if (name === undefined) {
    return (
      "must be one flag of VictoriaMetrics, such as `-memory.allowedPercent=30`, of letters, digits and " +
      "`._:/,@+-`. Correct it."
    );
  }
  if (own.includes(name)) {
    return "is a flag that this module sets itself. Use `dataDirectory`, `retention`, `listen` or `snapshotsMaxAge`.";
  }
  if (secret.test(name)) {
    return (
      "would show a secret in the process list and in the state. Let a proxy in front of the server ask for " +
      "credentials."
    );
  }
  return unreachable.test(name)
    ? "would keep the server from being reached and checked as plain HTTP. Do this in a proxy in front of it."
    : undefined;
};

export const victoriaMetricsForm = table<VictoriaMetricsSettings>()({
  enabled: flag({ default: true, says: "`false` takes one host out of what hosts share" }),
  download: part(
    table<VictoriaMetricsDownload>()({
      url: required(
        text({
          check: urlCheck,
          shown: "",
          says: "a release's `tar.gz` instead of Debian's package, as seen from the host",
        }),
      ),
      sha256: required(
        text({
          check: checksumCheck,
          shown: "",
          says: "its SHA-256; anything else that comes from the URL is refused",
        }),
      ),
    }),
  ),
  listen: text({
    check: listenCheck,
    default: "127.0.0.1:8428",
    says:
      "IP address and port; the server asks for no credentials, so any other than a loopback address " +
      "makes every preview warn",
  }),
  dataDirectory: text({
    check: dataDirectoryCheck,
    default: "/var/lib/victoria-metrics-data",
    says: "empty, missing, or with data of VictoriaMetrics; changing it moves nothing",
  }),
  retention: text({
    check: retentionCheck,
    default: "1y",
    says: "days, weeks or years, such as `400d`; a shorter one deletes",
  }),
  snapshotsMaxAge: text({
    check: snapshotAgeCheck,
    default: "3d",
    says: "age at which its own snapshots are deleted; longer than `vmbackup` takes",
  }),
  flags: words({
    check: flagCheck,
    says: "further flags, such as `-memory.allowedPercent=30`; none that holds a password",
  }),
});

export const victoriaMetricsDefaults = defaultsOf(victoriaMetricsForm);

/** What is wrong with the settings of VictoriaMetrics. */
export function victoriaMetricsProblems(settings: VictoriaMetricsSettings | undefined): Problem[] {
  const found = new Findings();
  found.fields("victoriaMetrics", victoriaMetricsForm, settings);
  return found.problems;
}

/** Arguments of `VictoriaMetrics`. */
export interface VictoriaMetricsArgs extends HostArgs {
  /** The server: release, address, data, retention. Everything has a default. */
  victoriaMetrics?: VictoriaMetricsSettings;
}
