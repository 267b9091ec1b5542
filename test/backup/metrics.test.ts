// The files that the metrics are in.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, expect, test } from "vitest";
import { Shell } from "../restore/shell";

const shell = new Shell();
afterAll(() => shell.remove());

test("what a killed command left in the textfile directory goes with the next metrics, and what a living one writes stays", () => {
  const directory = path.join(shell.directory, "textfiles");
  fs.mkdirSync(directory);
  // No process has a number above 4194304.
  for (const name of ["prometheus_backup.prom.4194305", "prometheus_backup.prom.old", "another.prom.4194305"]) {
    fs.writeFileSync(path.join(directory, name), "");
  }
  const living = shell.print(
    `( exec -a prometheus-backup.sh sleep 60 ) >/dev/null 2>&1 & living=$!
    TEXTFILE_DIR=$1 HOST_NAME=prom-1 ENVIRONMENT=dev
    declare -gA METRICS=([build_info]=1)
    until still_runs "$living"; do sleep 0.01; done
    : >"$TEXTFILE_DIR/prometheus_backup.prom.$living"
    write_textfile
    printf %s "$living"`,
    directory,
  );
  expect(fs.readdirSync(directory).sort()).toEqual(
    [
      "another.prom.4194305",
      "prometheus_backup.prom",
      `prometheus_backup.prom.${living}`,
      "prometheus_backup.prom.old",
    ].sort(),
  );
  expect(fs.readFileSync(path.join(directory, "prometheus_backup.prom"), "utf8")).toContain(
    'prometheus_backup_build_info{host="prom-1",environment="dev",version="',
  );
});
