/** A release of VictoriaMetrics, to be installed instead of the distribution's package. */
export interface VictoriaMetricsDownload {
  /**
   * URL of the `tar.gz` with the program `victoria-metrics-prod`, for the host's processor, as seen from the host.
   *
   * Changing it, with its checksum, is how VictoriaMetrics is upgraded: the new program is fetched and checked, then the
   * server is restarted once.
   */
  url: string;
  /** SHA-256 of that file in hex. What else comes from the URL is refused, and nothing is changed. */
  sha256: string;
}

/** A VictoriaMetrics server on the host, for metrics that are kept longer than Prometheus keeps them. */
export interface VictoriaMetricsSettings {
  /** Whether it is installed. Defaults to true where these settings are given; false takes one host out of what hosts share. */
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
   * It must be empty, missing, or hold data of VictoriaMetrics that belong to `_victoria-metrics`. It is not the package's
   * own `/var/lib/victoria-metrics`, because purging the package deletes that. Changing it moves nothing: the old data
   * stay where they are and are no longer served.
   */
  dataDirectory?: string;
  /** How long samples are kept, in days, weeks or years, such as `400d`. Defaults to `1y`. A shorter one deletes what is older. */
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
