// The settings file of a host as the host command reads it: a line that it does not understand is never passed over.
import * as fs from "fs";
import * as path from "path";
import { afterAll, expect, test } from "vitest";
import { renderSettings } from "../../components/backupJob/confFile";
import { Shell } from "../restore/shell";

const shell = new Shell();
afterAll(() => shell.remove());

const good = renderSettings({
  HOST_NAME: "prom-1",
  ENVIRONMENT: 'it\'s $(touch executed) `id` "double" \\ % ü',
  REPOSITORY_COUNT: "1",
  REPOSITORY_1_NAME: "local",
  REPOSITORY_1_TYPE: "path",
  REPOSITORY_1_LOCATION: "/backup",
});

/** What load_config says of each file, in one start of bash. */
function said(files: string[]): string[] {
  files.forEach((text, index) => fs.writeFileSync(path.join(shell.directory, `${index}.conf`), text, { mode: 0o644 }));
  const { stdout } = shell.run(`for (( i = 0; i < ${files.length}; i++ )); do
      ( CONFIG_FILE="$PWD/$i.conf"; load_config; printf 'good: %s\\n' "$ENVIRONMENT" ) 2>&1 || true; printf '\\f'
    done`);
  return stdout.split("\f").slice(0, -1);
}

test("each line must be a setting that this version knows, in its form; what is missing has its default", () => {
  const more = (line: string): string => `${good}${line}\n`;
  const cases: [file: string, says: string][] = [
    [good, 'good: it\'s $(touch executed) `id` "double" \\ % ü\n'],
    [more('# by hand\n\nNICE=3\nSTATE_DIR=/srv/state\nPROMETHEUS_URL="http://127.0.0.1:9090"'), "good: it's"],
    [more('STATE_DIR="/srv/$(touch executed)"'), "must be a setting"],
    [more("PARALEL='4'"), "  - PARALEL is no setting of this version\n"],
    [more("REPOSITORY_1_KIND='path'"), "  - REPOSITORY_1_KIND is no setting of this version\n"],
    [more("touch executed"), `  - line ${good.split("\n").length} must be a setting, KEY='value'\n`],
    [more("NICE='3'$(touch executed)"), "must be a setting"],
    [more("NICE='3' touch executed"), "must be a setting"],
    [more("ENVIRONMENT='a\nKEEP_LAST=x\n# b\n\nlist'"), "good: a\nKEEP_LAST=x\n# b\n\nlist\n"],
    [more("NICE='3\nPARALLEL=4"), `  - line ${good.split("\n").length} must be a setting, KEY='value'\n`],
    [more("SOURCE='tape'\nPARALLEL='two'\nKEEP_DAYS='0'"), "  - SOURCE must be one of: snapshot hot cold\n"],
    [more("PARALLEL='08'"), "  - PARALLEL must be a whole number\n"],
    [more("KEEP_DAYS='0'"), "  - KEEP_DAYS must be a whole number above 0, or empty\n"],
    [more("STATE_DIR=''"), "  - STATE_DIR must be an absolute path\n"],
    [more("PROMETHEUS_URL='localhost'"), "  - PROMETHEUS_URL must begin with http:// or https://\n"],
    [more("REPOSITORY_COUNT='0'"), "there is nowhere to put a backup"],
  ];
  const answers = said(cases.map(([file]) => file));
  expect(answers).toEqual(cases.map(([, says]) => expect.stringContaining(says) as string));
  expect(answers.filter(text => !text.startsWith("good: "))).toEqual(
    cases
      .filter(([, says]) => !says.startsWith("good: "))
      .map(() => expect.stringMatching(/error: .* has \d+ wrong settings \(above\).*'pulumi up'/) as string),
  );
  expect(fs.existsSync(path.join(shell.directory, "executed"))).toBe(false);
});
