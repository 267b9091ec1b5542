// What a unit says of its server while that is down.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

test.each([
  ["by itself", "/usr/bin/prometheus $ARGS"],
  ["behind the proxy", "/bin/bash $program 127.0.0.1:9091 http://h:9090/ /usr/bin/prometheus $ARGS"],
])("the words of a server that is started %s are those of its unit", (_, command) => {
  const argv = command.replace("$program", "/usr/local/lib/prometheus-backup/behind-proxy");
  fs.writeFileSync(path.join(shell.directory, "default"), 'ARGS="--storage.tsdb.path=/srv/tsdb --log.level=warn"\n');
  const systemctl = `systemctl() { case "$*" in
    *ExecStart*) printf '%s\\n' '{ path=/x ; argv[]=${argv} ; ignore_errors=no ; start_time=[n/a] ; status=0/0 }' ;;
    *EnvironmentFiles*) printf '%s\\n' './default (ignore_errors=no)' ;;
  esac; }\n`;
  expect(shell.print(`${systemctl}UNIT_PID=0 UNIT_KNOWN=true; unit_arguments`)).toBe(
    "/usr/bin/prometheus\n--storage.tsdb.path=/srv/tsdb\n--log.level=warn",
  );
});
