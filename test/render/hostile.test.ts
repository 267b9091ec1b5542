import { execFileSync, spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { renderRclone } from "../../components/backupJob/rclone";
import { renderSettings } from "../../components/backupJob/confFile";
import { renderStepProgram } from "../../components/host/programs";
import { renderStep, StepContent } from "../../components/host/payload";
import { carriedPath, packToolkit, renderToolkit } from "../../components/host/toolkit";

const hostile = [
  "'",
  "''",
  "$(id)",
  "`id`",
  "a\nb\n",
  "\\",
  "",
  "ü ö",
  "!history",
  "%",
  "* ?",
  "| end",
  "end",
  "-n",
  "\u0001",
  "'; rm -rf /; '",
];

/** A host that no other test stands for. */
const place = `test-${process.pid}:22`;

function payloadOf(content: StepContent): string {
  return renderStep("credentials", content, place, "x");
}

function bash(input: string): string {
  return execFileSync("bash", ["-s"], { input }).toString();
}

test("any text survives the settings file, read by bash", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 20 }), { maxLength: 12 }), random => {
      const values = [...hostile, ...random].filter(
        value => !value.includes("\0") && value === Buffer.from(value).toString(),
      );
      const settings = Object.fromEntries(values.map((value, index) => [`VALUE_${index}`, value]));
      const script = `set -eu\n${renderSettings(settings)}printf '%s\\0' "\${VALUE_0}" ${values
        .slice(1)
        .map((_, index) => `"\${VALUE_${index + 1}}"`)
        .join(" ")}\n`;
      expect(bash(script).split("\0").slice(0, -1)).toEqual(values);
    }),
    { numRuns: 30 },
  );
});

test("NUL, which bash cannot hold, is refused", () => {
  expect(() => renderSettings({ VALUE: "a\0b" })).toThrow(
    new RangeError("a setting holds a NUL character, which bash cannot hold"),
  );
  expect(() => renderSettings({ "X; id": "a" })).toThrow(new RangeError('"X; id" is not a name of a setting'));
});

test("a step refuses text that its lines cannot carry", () => {
  const file = { mode: "0644", owner: "root:root" };
  expect(() => payloadOf({ settings: { UNIT: "a\nsetting UNIT b" } })).toThrow(
    new RangeError("setting UNIT holds a line break or NUL, which a host step cannot take"),
  );
  expect(() => payloadOf({ settings: {}, files: { "/etc/x": { ...file, content: "a\0\n" } } })).toThrow(
    new RangeError("/etc/x holds a NUL character, which a host step cannot take"),
  );
  expect(() => payloadOf({ settings: {}, files: { "/etc/x": { ...file, content: "a" } } })).toThrow(
    new RangeError("/etc/x does not end with a line break"),
  );
  expect(() => payloadOf({ settings: {}, files: { "/etc/x y\nend": { ...file, content: "a\n" } } })).toThrow(
    RangeError,
  );
});

test("a line break in a bucket's name starts no setting of its own", () => {
  expect(() =>
    renderRclone([
      {
        name: "offsite",
        bucket: "b",
        endpoint: "http://x\nenv_auth = false",
        hasCredentials: false,
        prune: true,
        proof: "required",
      },
    ]),
  ).toThrow(
    new RangeError("endpoint of a repository holds a control character, which rclone's configuration cannot hold"),
  );
});

test("whatever lines a file has, the payload carries them to the program that was copied before", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-test-"));
  const carried = carriedPath(renderToolkit(), place);
  try {
    fs.writeFileSync(carried, packToolkit(renderToolkit()));
    const content = hostile.flatMap(text => text.split("\n")).join("\n") + "\nPROGRAM\nsetting X y\n";
    const payload = payloadOf({ settings: {}, files: { "/etc/x": { content, mode: "0600", owner: "root:root" } } });
    // Instead of running the program, what is left on standard input for it is kept.
    const handover = /^.*exec \/bin\/bash "\$program" install$/m;
    expect(payload).toMatch(handover);
    bash(
      payload.replace(
        handover,
        () =>
          `mv "$program" ${directory}/program; if [[ $toolkit == /tmp/* ]]; then rm "$toolkit"; fi; exec cat >${directory}/rest`,
      ),
    );
    const rest = fs.readFileSync(path.join(directory, "rest"), "utf8");
    expect(rest).toBe(
      `setting INSTALLATION x\nfile /etc/x root:root 0600\n${content
        .split("\n")
        .slice(0, -1)
        .map(line => `| ${line}\n`)
        .join("")}end\n`,
    );
    expect(fs.readFileSync(path.join(directory, "program"), "utf8")).toBe(renderStepProgram("credentials"));
  } finally {
    fs.rmSync(directory, { recursive: true });
    fs.rmSync(carried, { force: true });
  }
});

test("a host that has not got the programs says how to bring them", () => {
  const result = spawnSync("bash", ["-s"], {
    input: renderStep("credentials", { settings: {} }, `nobody-${process.pid}:22`, "x"),
  });
  expect(result.status).toBe(3);
  expect(result.stderr.toString()).toMatch(
    /^prometheus-backup: error: the toolkit was copied to this host once, but .* run: pulumi up --replace '\*\*-toolkit'$/m,
  );
});
