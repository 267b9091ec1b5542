import { expect, test } from "vitest";
import { fleetArtefacts } from "../../components/stack/hostFiles";
import { parseConfig } from "../../components/stack/config";
import { compareHost } from "../../scripts/tools/compare/changes";
import { renderPage } from "../../scripts/tools/compare/page";
import { renderedHost, type HostTree } from "../../scripts/tools/compare/renderedHost";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";

/** The hosts as a render holds them, with their names and what differs from the defaults. */
function render(hosts: Record<string, unknown>[]): Map<string, HostTree> {
  const full = hosts.map(host => ({ hostKey, repositories: [{ path: "/backup/prometheus" }], ...host }));
  return new Map(
    Object.entries(fleetArtefacts(parseConfig({ environment: "test", hosts: full }, () => ""))).map(([name, host]) => [
      name,
      {
        ...renderedHost(host),
        files: new Map(Object.entries(host.files).map(([file, { content }]) => [file, content])),
      },
    ]),
  );
}

function page(before: Map<string, HostTree>, after: Map<string, HostTree>): string {
  const names = [...new Set([...after.keys(), ...before.keys()])];
  return renderPage(new Map(names.map(name => [name, compareHost(before.get(name), after.get(name))])));
}

/** The same host with programs of another version. */
function upgraded(host: HostTree): HostTree {
  const files = new Map(host.files);
  for (const program of ["/usr/local/lib/prometheus-backup/toolkit", "/usr/local/bin/prometheus-backup.sh"]) {
    files.set(program, `${files.get(program) ?? ""}# newer\n`);
  }
  return { ...host, files };
}

test("hosts with the same change stand together, each file with its lines, and only the steps that run are counted", () => {
  const drill = { drill: { schedule: "0 5 * * 0" } };
  const before = render([{ name: "prom-1", ...drill }, { name: "prom-2", ...drill }, { name: "prom-3" }]);
  const after = render([
    { name: "prom-1", drill: { schedule: "0 6 * * 0" } },
    { name: "prom-2", drill: { schedule: "0 6 * * 0" } },
    { name: "prom-3" },
  ]);
  expect(page(before, after)).toMatchInlineSnapshot(`
    "**prom-1, prom-2** (identical): steps that run: backup-job

    \`etc/cron.d/prometheus-backup\`
    \`\`\`diff
    -0 5 * * 0 prometheus /usr/local/bin/prometheus-backup.sh drill >> /var/log/prometheus-backup.log 2>&1
    +0 6 * * 0 prometheus /usr/local/bin/prometheus-backup.sh drill >> /var/log/prometheus-backup.log 2>&1
    \`\`\`
    \`etc/prometheus-backup/prometheus-backup.conf\`
    \`\`\`diff
    -DRILL_CALENDAR='Sun *-*-* 05:00:00'
    +DRILL_CALENDAR='Sun *-*-* 06:00:00'
    \`\`\`

    **prom-3**: no change

    Prometheus restarts: none. SSH connections: 2. Changed secrets and addresses are not seen here.
    "
  `);
});

test("a new host, one that leaves, and nothing else", () => {
  expect(page(render([{ name: "old" }]), render([{ name: "new" }]))).toMatchInlineSnapshot(`
    "**new**: new host; steps: admin-api, textfile-directory, backup-job, alert-rules

    **old**: leaves the stack; the host is put back as it was found, its backups stay

    Prometheus restarts: at most once on new, old. SSH connections: 9. Changed secrets and addresses are not seen here.
    "
  `);
});

test("settings of a step that are in no file are shown as well, and may restart the server", () => {
  const text = page(
    render([{ name: "prom-1" }]),
    render([{ name: "prom-1", adminApi: { exposure: "reverse-proxy" } }]),
  );
  expect(text).toContain(
    "`step admin-api`\n```diff\n-EXPOSURE loopback\n+EXPOSURE reverse-proxy\n+LOOPBACK_LISTEN 127.0.0.1:9091\n",
  );
  expect(text).toContain("Prometheus restarts: at most once on prom-1. SSH connections: 4.");
});

test("a host that is born from a backup restarts for that too; one whose admin API is left alone again, once", () => {
  const born = render([{ name: "prom-1" }, { name: "spare", bootstrapFrom: { host: "prom-1" } }]);
  expect(page(render([{ name: "prom-1" }]), born)).toContain("Prometheus restarts: at most twice on spare.");
  const later = render([{ name: "prom-1", source: "hot" }, { name: "spare" }]);
  expect(page(born, later)).toContain("Prometheus restarts: at most once on prom-1.");
});

test("a new version runs every step, copies the programs once, restarts nothing, and shows no lines of them", () => {
  const before = render([{ name: "prom-1" }]);
  const after = new Map([...before].map(([name, host]) => [name, upgraded(host)]));
  const text = page(before, after);
  expect(text).toContain(
    "Programs of a new version: `/usr/local/bin/prometheus-backup.sh`, `/usr/local/lib/prometheus-backup/toolkit`",
  );
  expect(text).toContain("Prometheus restarts: none. SSH connections: 5.");
  expect(text).not.toContain("# newer");
});
