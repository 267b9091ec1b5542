// What newcomer and reviewer see: the tools of this repository, on a stack's file of their own.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fleetArtefacts } from "../../components/stack/hostFiles";
import { compareHost } from "../../scripts/tools/compare/changes";
import { renderPage } from "../../scripts/tools/compare/page";
import { renderedHost, type HostTree } from "../../scripts/tools/compare/renderedHost";
import { readFleet } from "../../scripts/tools/stackFile";
import type { Screen } from "./session";

const root = path.join(__dirname, "..", "..");

/** Lines of a host in the file of a stack. */
const host = (name: string, ...more: string[]): string[] => [
  `    - name: ${name}`,
  `      address: ${name}.internal`,
  "      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h",
  "      repositories: [ { path: /backup/prometheus } ]",
  ...more.map(line => `      ${line}`),
];

export function recordTools(): Screen[] {
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-screens-"));
  const file = path.join(directory, "Pulumi.prod.yaml");
  const write = (...hosts: string[][]): void =>
    writeFileSync(file, ["config:", "  prometheus-backup:hosts:", ...hosts.flat(), ""].join("\n"));
  try {
    write(host("prom-1", "schedule: 12 */2 * * *"), host("prom-2"));
    const after = render(file);
    write(host("prom-1"), host("prom-2"));
    const before = render(file);
    write(host("prom-1", "schedule: 0 25 * * *", "retentoin: { days: 30 }"));
    return [
      {
        role: "newcomer",
        want: "A stack's file with mistakes",
        typed: "$ npm run --silent validate -- --stack prod",
        text: validate(directory),
        look: "Each line has file, line and column, the setting, what is wrong with it, and the nearest name.",
      },
      {
        role: "reviewer",
        want: "Another schedule for one host",
        typed: "$ npm run --silent compare -- old new",
        text: renderPage(
          new Map([...after].map(([name, tree]) => [name, compareHost(before.get(name), tree)])),
        ).trimEnd(),
        look: "Each host with the lines that change, and at the end whether a Prometheus restarts.",
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function validate(directory: string): string {
  const [program, tool] = [
    path.join(root, "node_modules", ".bin", "tsx"),
    path.join(root, "scripts", "tools", "validate.ts"),
  ];
  const { stdout, stderr } = spawnSync(program, [tool, "--stack", "prod", "--config", "Pulumi.prod.yaml"], {
    cwd: directory,
    encoding: "utf8",
  });
  return (stdout + stderr).trimEnd();
}

/** What `npm run render` writes for that file, without the writing. */
function render(file: string): Map<string, HostTree> {
  const hosts = Object.entries(fleetArtefacts(readFleet("prod", file)));
  return new Map(
    hosts.map(([name, artefacts]) => [
      name,
      {
        ...renderedHost(artefacts),
        files: new Map(Object.entries(artefacts.files).map(([target, { content }]) => [target, content])),
      },
    ]),
  );
}
