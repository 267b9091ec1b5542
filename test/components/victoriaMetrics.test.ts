import * as pulumi from "@pulumi/pulumi";
import { expect, test, vi } from "vitest";
import { parseConfig } from "../../components/stack/config";
import { fleetArtefacts } from "../../components/stack/hostFiles";
import { PrometheusBackup, VictoriaMetrics, VictoriaMetricsSettings } from "../../components";
import { recordResources, valueOf } from "../recordResources";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";
const host = { hostName: "vm-a", connection: { address: "10.0.0.12", user: "deploy", hostKey } };
const sha256 = "ab".repeat(32);
// The release that the course installs.
const download = {
  url: "https://github.com/VictoriaMetrics/VictoriaMetrics/releases/download/v1.96.0/victoria-metrics-linux-amd64-v1.96.0.tar.gz",
  sha256,
};

async function payload(victoriaMetrics?: VictoriaMetricsSettings): Promise<string[]> {
  const { named } = await recordResources(() => new VictoriaMetrics("long-term", { ...host, victoriaMetrics }));
  const lines = String(named("long-term-install").inputs["stdin"]).split("\n");
  return lines.slice(lines.findIndex(line => line.startsWith("setting INSTALLATION")));
}

test("the package gets a drop-in with the whole command line and the sandbox", async () => {
  expect((await payload()).join("\n")).toMatchInlineSnapshot(`
    "setting INSTALLATION long-term-install
    setting URL http://127.0.0.1:8428
    setting DATA_DIRECTORY /var/lib/victoria-metrics-data
    file /etc/systemd/system/victoria-metrics.service.d/zz-prometheus-backup.conf root:root 0644
    | # Written by prometheus-backup. Goes when the component goes; the data stay.
    | [Unit]
    | RequiresMountsFor=/var/lib/victoria-metrics-data
    | 
    | [Service]
    | EnvironmentFile=
    | ExecStart=
    | ExecStart=/usr/bin/victoria-metrics -storageDataPath=/var/lib/victoria-metrics-data -retentionPeriod=1y -httpListenAddr=127.0.0.1:8428 -snapshotsMaxAge=3d
    | User=_victoria-metrics
    | Group=_victoria-metrics
    | UMask=0077
    | NoNewPrivileges=yes
    | CapabilityBoundingSet=
    | ProtectSystem=strict
    | ReadWritePaths=/var/lib/victoria-metrics-data
    | ProtectHome=yes
    | PrivateTmp=yes
    | PrivateDevices=yes
    | ProtectClock=yes
    | ProtectControlGroups=yes
    | ProtectHostname=yes
    | ProtectKernelLogs=yes
    | ProtectKernelModules=yes
    | ProtectKernelTunables=yes
    | ProtectProc=invisible
    | RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
    | RestrictNamespaces=yes
    | RestrictRealtime=yes
    | RestrictSUIDSGID=yes
    | LockPersonality=yes
    | MemoryDenyWriteExecute=yes
    | SystemCallArchitectures=native
    | SystemCallFilter=@system-service
    | SystemCallErrorNumber=EPERM
    end
    "
  `);
});

test("a release gets a unit of its own", async () => {
  const lines = await payload({
    download,
    listen: "[::]:8428",
    dataDirectory: "/srv/vm",
    retention: "400d",
    snapshotsMaxAge: "12h",
    flags: ["-dedup.minScrapeInterval=30s"],
  });
  expect(lines.filter(line => line.startsWith("setting ") || line.startsWith("file "))).toEqual([
    "setting INSTALLATION long-term-install",
    "setting URL http://[::1]:8428",
    "setting DATA_DIRECTORY /srv/vm",
    `setting DOWNLOAD_URL ${download.url}`,
    `setting DOWNLOAD_SHA256 ${sha256}`,
    "file /etc/systemd/system/victoria-metrics.service root:root 0644",
  ]);
  for (const line of [
    "| RequiresMountsFor=/srv/vm",
    "| ExecStart=/usr/local/bin/victoria-metrics-prod -storageDataPath=/srv/vm -retentionPeriod=400d -httpListenAddr=[::]:8428 -enableTCP6 -snapshotsMaxAge=12h -dedup.minScrapeInterval=30s",
    "| ReadWritePaths=/srv/vm",
    "| ProtectSystem=strict",
    "| WantedBy=multi-user.target",
  ]) {
    expect(lines).toContain(line);
  }
});

test.each([
  ["127.0.0.1:8428", "http://127.0.0.1:8428", 0],
  ["[::1]:8428", "http://[::1]:8428", 0],
  ["0.0.0.0:9428", "http://127.0.0.1:9428", 1],
  ["10.0.0.12:8428", "http://10.0.0.12:8428", 1],
])("a server that listens on %s is reached at %s, and is warned about %i times", async (listen, url, warnings) => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  try {
    let made: VictoriaMetrics | undefined;
    await recordResources(() => (made = new VictoriaMetrics("long-term", { ...host, victoriaMetrics: { listen } })));
    expect(made && (await valueOf(made.url))).toBe(url);
    expect(warn.mock.calls.map(([text]) => text)).toEqual(
      Array(warnings).fill(expect.stringMatching(/^vm-a: VictoriaMetrics listens on .* asks nobody for credentials\./)),
    );
  } finally {
    warn.mockRestore();
  }
});

test("it is a step of a host that asks for it, after the others, and of no other host", async () => {
  const backup = { ...host, repositories: [{ path: "/b" }] };
  const { named } = await recordResources(() => new PrometheusBackup("prom-a", { ...backup, victoriaMetrics: {} }));
  expect(named("prom-a-victoria-metrics-install").dependsOn).toContain("prom-a-alert-rules-install");
  for (const victoriaMetrics of [undefined, { enabled: false }]) {
    const { all } = await recordResources(() => new PrometheusBackup("prom-a", { ...backup, victoriaMetrics }));
    expect(all.map(({ name }) => name).filter(name => name.includes("victoria"))).toEqual([]);
  }
});

test("what is rendered for a host is what the component installs, and says where the program comes from", async () => {
  const hosts = [
    {
      name: "prom-a",
      address: "prom-a",
      hostKey,
      repositories: [{ path: "/b" }],
      victoriaMetrics: { retention: "2y" },
    },
  ];
  const artefacts = fleetArtefacts(
    parseConfig(
      { environment: "test", defaults: { victoriaMetrics: { retention: "3y", listen: "127.0.0.1:8429" } }, hosts },
      () => "",
    ),
  )["prom-a"];
  const unit = artefacts?.files["/etc/systemd/system/victoria-metrics.service.d/zz-prometheus-backup.conf"];
  expect(
    (await payload({ retention: "2y", listen: "127.0.0.1:8429" }))
      .filter(line => line.startsWith("| "))
      .map(line => `${line.slice(2)}\n`)
      .join(""),
  ).toBe(unit?.content);
  expect(artefacts?.notes).toContain(
    "The package victoria-metrics is installed, and /var/lib/victoria-metrics-data is made for its user _victoria-metrics if it is missing. Data and user are kept when the host leaves the stack.",
  );
});

test("every wrong setting is named at once, and no resource is touched", () => {
  const victoriaMetrics: VictoriaMetricsSettings = {
    download: { url: "ftp://example.org/vm.tar.gz", sha256: "AB" },
    listen: "localhost:80",
    dataDirectory: "/home/vm",
    retention: "12",
    snapshotsMaxAge: "0",
    flags: ["-retentionPeriod=5y", "-httpAuth.password=geheim", "-tls", "-x=$(id)", "-dedup.minScrapeInterval=30s"],
  };
  expect(() => new VictoriaMetrics("long-term", { ...host, victoriaMetrics })).toThrow(
    [
      'prometheus-backup: 10 settings of "long-term" need a change. No resource was touched.',
      "  - victoriaMetrics.download.url: must be a URL with `http://` or `https://`, a host, and at most a path; no user, password or query. Move credentials to their own setting.",
      "  - victoriaMetrics.download.sha256: must be a SHA-256 checksum: 64 hex digits in lower case. Paste what `sha256sum FILE` prints for the file that you have checked.",
      "  - victoriaMetrics.listen: must be one IP address with a port from 1024 to 65535, because the server runs without any right of root. Write for example `127.0.0.1:8428`.",
      "  - victoriaMetrics.dataDirectory: must be a place for data, which the server's unit can open to it. Choose a directory below `/var/lib`, `/srv` or a disk of its own.",
      "  - victoriaMetrics.retention: must be a number of days, weeks or years with its unit. Write for example `400d` or `2y`.",
      "  - victoriaMetrics.snapshotsMaxAge: must be a number of hours, days, weeks or years with its unit. Write for example `3d`.",
      "  - victoriaMetrics.flags[0]: is a flag that this module sets itself. Use `dataDirectory`, `retention`, `listen` or `snapshotsMaxAge`.",
      "  - victoriaMetrics.flags[1]: would show a secret in the process list and in the state. Let a proxy in front of the server ask for credentials.",
      "  - victoriaMetrics.flags[2]: would keep the server from being reached and checked as plain HTTP. Do this in a proxy in front of it.",
      "  - victoriaMetrics.flags[3]: must be one flag of VictoriaMetrics, such as `-memory.allowedPercent=30`, of letters, digits and `._:/,@+-`. Correct it.",
    ].join("\n"),
  );
});
