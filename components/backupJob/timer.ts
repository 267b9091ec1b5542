import { calendarLines } from "../fields/calendar";
import { HostFiles, publicFile } from "../host/files";
import { paths } from "../host/paths";

/** What the units of a job are made from. */
export interface TimerPlan {
  backupUser: string;
  prometheusUnit: string;
  /** Zone in which the timers elapse. */
  timeZone: string;
  readyTimeoutSeconds: number;
}

/** One job of the scheduler: when, and the words behind the host command. */
export interface ScheduledJob {
  schedule: string;
  command: string;
}

const HEAD = "# Written by prometheus-backup. Changes here are overwritten.";

/** What no job needs. Directories are not in it: data, repositories and metrics lie where each host has them. */
const HARDENING = [
  "NoNewPrivileges=yes",
  "PrivateDevices=yes",
  "ProtectSystem=yes",
  // Many a hand-made Prometheus has its data there.
  "ReadWritePaths=-/usr/local",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "LockPersonality=yes",
  "SystemCallArchitectures=native",
  "SystemCallErrorNumber=EPERM",
];

/** The user of the server needs no right of root. */
const asUser = (user: string): string[] => [
  `User=${user}`,
  "CapabilityBoundingSet=",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "SystemCallFilter=@system-service",
  "KillMode=mixed",
];

/**
 * A job that stops the server leaves a process behind if it is killed, which starts the server again. No `User=root`:
 * beside NoNewPrivileges= and a filter of system calls, systemd 257 then takes the rights with which a job becomes the
 * owner of the data.
 */
const AS_ROOT = [
  "CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME CAP_SYSLOG CAP_NET_ADMIN CAP_NET_RAW",
  "SystemCallFilter=~@clock @module @raw-io @reboot @swap",
  "KillMode=process",
];

/** `prometheus-backup` for the runs, `prometheus-backup-drill` and so on for the others. */
function unitName(command: string): string {
  const [word = ""] = command.split(" ");
  return word === "run" ? "prometheus-backup" : `prometheus-backup-${word}`;
}

function service(plan: TimerPlan, { command }: ScheduledJob): string {
  const after = ["local-fs.target", "remote-fs.target", "network-online.target", plan.prometheusUnit];
  // Where several jobs were missed, the backup comes first.
  const others = command === "run" ? [] : ["prometheus-backup.service"];
  return [
    HEAD,
    "[Unit]",
    `Description=prometheus-backup: ${command}`,
    "Documentation=man:prometheus-backup.sh(8)",
    "Wants=network-online.target",
    `After=${[...after, ...others].join(" ")}`,
    "",
    "[Service]",
    "Type=oneshot",
    `ExecStart=${paths.hostCommand} ${command}`,
    `StandardOutput=append:${paths.log}`,
    `StandardError=append:${paths.log}`,
    "Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    `TimeoutStopSec=${plan.readyTimeoutSeconds + 300}`,
    ...(plan.backupUser === "root" ? AS_ROOT : asUser(plan.backupUser)),
    ...HARDENING,
    "",
  ].join("\n");
}

function timer(plan: TimerPlan, { schedule, command }: ScheduledJob): string {
  return [
    HEAD,
    "[Unit]",
    `Description=When prometheus-backup runs: ${command} (${schedule})`,
    "Documentation=man:prometheus-backup.sh(8)",
    "",
    "[Timer]",
    ...calendarLines(schedule, plan.timeZone).map(line => `OnCalendar=${line}`),
    "AccuracySec=1s",
    // A run that was missed is made up for; blocks that were to be held meanwhile are gone.
    ...(command === "hold" ? [] : ["Persistent=true"]),
    "",
    "[Install]",
    "WantedBy=timers.target",
    "",
  ].join("\n");
}

/** A timer and a service for each job, by path. Throws `ScheduleError` on a schedule that a timer cannot keep. */
export function renderTimers(plan: TimerPlan, jobs: ScheduledJob[]): HostFiles {
  return Object.fromEntries(
    jobs.flatMap(job => {
      const place = `${paths.units}/${unitName(job.command)}`;
      return [
        [`${place}.service`, publicFile(service(plan, job))],
        [`${place}.timer`, publicFile(timer(plan, job))],
      ];
    }),
  );
}
