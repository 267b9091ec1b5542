import { HostFiles, publicFile } from "../host/files";
import { paths } from "../host/paths";

/** What decides the unit of VictoriaMetrics, all defaults filled in. */
export interface VictoriaMetricsPlan {
  /** Without it the distribution's package is installed. */
  download?: { url: string; sha256: string };
  listen: string;
  dataDirectory: string;
  retention: string;
  snapshotsMaxAge: string;
  flags: string[];
}

/** The user of the server, named as Debian's package names it. */
const user = "_victoria-metrics";

/** Where the server is reached from its own host, as a base URL. */
export function victoriaMetricsUrl(plan: Pick<VictoriaMetricsPlan, "listen">): string {
  const [, host = "", port = ""] = /^(.*):([0-9]+)$/.exec(plan.listen) ?? [];
  const reachable: Record<string, string> = { "0.0.0.0": "127.0.0.1", "[::]": "[::1]" };
  return `http://${reachable[host] ?? host}:${port}`;
}

/** Whether other machines can reach the server. */
export function isPublic(plan: Pick<VictoriaMetricsPlan, "listen">): boolean {
  return !plan.listen.startsWith("127.") && !plan.listen.startsWith("[::1]:");
}

/** The whole command line. Values have been checked: none holds a blank or anything that systemd would expand. */
function command(plan: VictoriaMetricsPlan): string {
  return [
    plan.download === undefined ? paths.packagedVictoriaMetrics : paths.victoriaMetrics,
    `-storageDataPath=${plan.dataDirectory}`,
    `-retentionPeriod=${plan.retention}`,
    `-httpListenAddr=${plan.listen}`,
    ...(plan.listen.startsWith("[") ? ["-enableTCP6"] : []),
    `-snapshotsMaxAge=${plan.snapshotsMaxAge}`,
    ...plan.flags,
  ].join(" ");
}

/** What the server may do: its port and its data directory, and nothing else of the host. */
function serviceLines(plan: VictoriaMetricsPlan): string[] {
  return [
    `ExecStart=${command(plan)}`,
    `User=${user}`,
    `Group=${user}`,
    "UMask=0077",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    `ReadWritePaths=${plan.dataDirectory}`,
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
  ];
}

/** A disk that is not mounted yet must not be mistaken for an empty data directory. */
function mountLine(plan: VictoriaMetricsPlan): string {
  return `RequiresMountsFor=${plan.dataDirectory}`;
}

function unit(plan: VictoriaMetricsPlan): string[] {
  return [
    "# Written by prometheus-backup. Goes when the component goes; the data stay.",
    "[Unit]",
    "Description=VictoriaMetrics, long-term storage for Prometheus",
    "Documentation=https://docs.victoriametrics.com/",
    "Wants=network-online.target",
    "After=network-online.target",
    mountLine(plan),
    "",
    "[Service]",
    "Restart=on-failure",
    "RestartSec=5",
    "LimitNOFILE=65536",
    ...serviceLines(plan),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ];
}

/**
 * The package's unit with our command line; its settings in `/etc/default` would add flags that newer versions take
 * twice.
 */
function dropIn(plan: VictoriaMetricsPlan): string[] {
  return [
    "# Written by prometheus-backup. Goes when the component goes; the data stay.",
    "[Unit]",
    mountLine(plan),
    "",
    "[Service]",
    "EnvironmentFile=",
    "ExecStart=",
    ...serviceLines(plan),
  ];
}

/** The unit of a downloaded release, or the drop-in for the unit of the package. */
export function renderVictoriaMetrics(plan: VictoriaMetricsPlan): HostFiles {
  const [path, lines] =
    plan.download === undefined ? [paths.victoriaMetricsDropIn, dropIn(plan)] : [paths.victoriaMetricsUnit, unit(plan)];
  return { [path]: publicFile(`${lines.join("\n")}\n`) };
}
