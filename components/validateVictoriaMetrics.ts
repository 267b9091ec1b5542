import { both, Check, filePathCheck, urlCheck } from "./fields/patterns";
import { Findings, Problem } from "./fields/problems";
import { VictoriaMetricsSettings } from "./victoriaMetricsSettings";

const listenCheck: Check = value => {
  const [, port] = /^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})$/.exec(value) ?? [];
  return port !== undefined && Number(port) >= 1024 && Number(port) <= 65_535
    ? undefined
    : "must be one IP address with a port from 1024 to 65535, because the server runs without any right of root. Write for example `127.0.0.1:8428`.";
};

/** Places that the server's unit hides from it or that do not outlive a restart. */
const dataDirectoryCheck: Check = both(filePathCheck, value =>
  /^\/(home|root|run|tmp|var\/tmp|dev|proc|sys|boot|etc|usr)(\/|$)/.test(value)
    ? "must be a place for data, which the server's unit can open to it. Choose a directory below `/var/lib`, `/srv` or a disk of its own."
    : undefined,
);

const retentionCheck: Check = value =>
  /^[1-9][0-9]{0,3}[dwy]$/.test(value) ? undefined : "must be a number of days, weeks or years with its unit. Write for example `400d` or `2y`.";

const snapshotAgeCheck: Check = value =>
  /^[1-9][0-9]{0,3}[hdwy]$/.test(value) ? undefined : "must be a number of hours, days, weeks or years with its unit. Write for example `3d`.";

const checksumCheck: Check = value =>
  /^[0-9a-f]{64}$/.test(value) ? undefined : "must be a SHA-256 checksum: 64 hex digits in lower case. Paste what `sha256sum FILE` prints for the file that you have checked.";

const own = ["storageDataPath", "retentionPeriod", "httpListenAddr", "enableTCP6", "snapshotsMaxAge"];
const unreachable = /^(tls.*|mtls.*|http\.pathPrefix|httpListenAddr\..*|httpAuth\..*|dryRun|help|version|envflag\..*)$/;
const secret = /password|secret|authkey|token|license/i;

const flagCheck: Check = value => {
  const [, name] = /^--?([A-Za-z][A-Za-z0-9._-]*)(?:=[A-Za-z0-9._:/,@+-]*)?$/.exec(value) ?? [];
  if (name === undefined) {
    return "must be one flag of VictoriaMetrics, such as `-memory.allowedPercent=30`, of letters, digits and `._:/,@+-`. Correct it.";
  }
  if (own.includes(name)) {
    return "is a flag that this module sets itself. Use `dataDirectory`, `retention`, `listen` or `snapshotsMaxAge`.";
  }
  if (secret.test(name)) {
    return "would show a secret in the process list and in the state. Let a proxy in front of the server ask for credentials.";
  }
  return unreachable.test(name) ? "would keep the server from being reached and checked as plain HTTP. Do this in a proxy in front of it." : undefined;
};

/** What is wrong with the settings of VictoriaMetrics. */
export function victoriaMetricsProblems(settings: VictoriaMetricsSettings | undefined): Problem[] {
  const found = new Findings();
  found.text("victoriaMetrics.download.url", settings?.download?.url, urlCheck);
  found.text("victoriaMetrics.download.sha256", settings?.download?.sha256, checksumCheck);
  found.text("victoriaMetrics.listen", settings?.listen, listenCheck);
  found.text("victoriaMetrics.dataDirectory", settings?.dataDirectory, dataDirectoryCheck);
  found.text("victoriaMetrics.retention", settings?.retention, retentionCheck);
  found.text("victoriaMetrics.snapshotsMaxAge", settings?.snapshotsMaxAge, snapshotAgeCheck);
  settings?.flags?.forEach((flag, index) => found.text(`victoriaMetrics.flags[${index}]`, flag, flagCheck));
  return found.problems;
}
