// The command line: one table of commands behind parser, help, completion and pages.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { nearest } from "../../components/fields/nearest";
import { hostCommands } from "../../components/host/command/commands";
import { exitCodes } from "../../components/host/command/exitCodes";
import { commandHelp, optionsOf } from "../../components/host/command/help";
import { type Called, Shell } from "./shell";
import { spawnSync } from "node:child_process";

const shell = new Shell();
afterAll(() => shell.remove());
const library = path.join(__dirname, "..", "..", "scripts", "lib");

/** The command as it is typed. */
function typed(...words: string[]): Called {
  const { status, stdout, stderr } = spawnSync("bash", [shell.program, ...words], { encoding: "utf8", input: "" });
  return { code: status, stdout, stderr };
}

describe("the table and the program", () => {
  const files = readdirSync(library, { recursive: true, encoding: "utf8" }).filter(name => name.endsWith(".sh"));
  const source = files.map(name => readFileSync(path.join(library, name), "utf8")).join("\n");
  const functions = [...source.matchAll(/^command_([a-z_]+)\(\)/gm)].map(([, name = ""]) => name.replaceAll("_", "-"));

  test("every command has a function, and every function stands in the table or is called by the program itself", () => {
    const own = ["note-metrics", "recover"];
    expect(functions.filter(name => !own.includes(name)).sort()).toEqual(hostCommands.map(({ name }) => name).sort());
  });

  test.each(hostCommands)("what the parser of $name takes is what its function looks at", ({ name, options }) => {
    const taken = options.map(option => option.name);
    expect(
      taken.filter(option => !new RegExp(`(OPTIONS\\[|values_of )${option}\\b`).test(source)),
      name,
    ).toEqual([]);
  });

  test("no function looks at an option that no command takes", () => {
    const all = new Set(hostCommands.flatMap(({ options }) => options.map(option => option.name)));
    const looked = [...source.matchAll(/(?:OPTIONS\[|values_of )([a-z][a-z-]*)/g)].map(([, name = ""]) => name);
    expect(looked.filter(name => !all.has(name))).toEqual([]);
  });

  test("no command reads its options by itself", () => {
    expect(source.match(/while \(\( \$# > 0 \)\); do\n\s+case "\$1" in/g)?.length).toBe(1);
  });

  test.each(hostCommands)("the examples of $name are understood", ({ name, examples }) => {
    expect(examples.length).toBeGreaterThanOrEqual(2);
    for (const { line } of examples) {
      const own = (line.split(" | ")[0] ?? "").replace(/ --at .*/, "");
      const { code, stderr } = shell.run(`set -- ${own}; require_command "$1"; read_options "$@"; read_range`);
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: "" });
    }
    expect(examples.some(({ line }) => line.split(" ")[0] === name)).toBe(true);
  });

  test("the meanings of the exit codes are those of the program's constants", () => {
    const constants = readFileSync(path.join(library, "shell", "constants.sh"), "utf8");
    const codes = [...constants.matchAll(/^readonly EXIT_\w+=(\d+)$/gm)].map(([, code]) => Number(code));
    expect(exitCodes.map(({ code }) => code).filter(code => code > 0 && code < 128)).toEqual(codes);
  });
});

describe("options", () => {
  const parsed = (words: string): string =>
    shell.print(
      `read_options ${words}; for key in "\${!OPTIONS[@]}"; do printf '%s=%s|' "$key" "\${OPTIONS[$key]@Q}"; done | tr '|' '\\n' | sort | paste -sd '|'; printf '%s' "$WANTED"`,
    );

  test("are read by name, whatever their order, and a value that came twice is the last one", () => {
    expect(parsed("restore --yes 20261122T020000Z --host a --host b")).toBe("host='b'|yes='true'\n20261122T020000Z");
  });

  test("that may come again are all kept, and another name is the same option", () => {
    expect(parsed("restore latest --dry-run --block A --block 'B C'")).toBe("block=$'A\\nB C'|plan='true'\nlatest");
  });

  test.each([
    ["list --jsn", "list does not know '--jsn'; did you mean '--json'? see: prometheus-backup.sh list --help"],
    ["list --JSON", "list does not know '--JSON'; did you mean '--json'?"],
    ["list --xyz", "list does not know '--xyz'; see: prometheus-backup.sh list --help"],
    ["list latest", "list does not know 'latest'; see: "],
    ["list --repository", "--repository needs a value; "],
    ["list --repository --json", "--repository needs a value; "],
    ["show a b", "show takes one backup, not 'a' and 'b'; "],
    ["unpin x --json=y", "unpin does not know '--json'; see: "],
    ["listt", "there is no command 'listt'; did you mean 'list'? see: prometheus-backup.sh --help"],
    ["nonsense --help", "there is no command 'nonsense'; see: prometheus-backup.sh --help"],
    ["help nonsense", "there is no command 'nonsense'; see: "],
    ["'x[$(touch hit)]'", "there is no command 'x[$(touch hit)]'; see: "],
    ["''", "there is no command ''; see: "],
    ["explain 99", "'99' is no exit code of this command; they are 0 1 2 "],
  ])("%s is refused with 2", (words, message) => {
    const { code, stdout, stderr } = shell.run(
      `command -p true; set -- ${words}; load_config() { set_config_defaults; HOST_NAME=prom-1; }; become_backup_user() { :; }; main "$@"`,
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`prometheus-backup: error: ${message}`);
  });

  test("with their value behind an equals sign are the same", () => {
    const words = shell.print("split_options list --host=prom-2 --label=a=b --json; printf '%s\\n' \"${WORDS[@]}\"");
    expect(words.split("\n")).toEqual(["list", "--host", "prom-2", "--label", "a=b", "--json"]);
  });

  test.each([
    ["lst", ["list", "last"]],
    ["restor", ["run", "restore"]],
    ["LIST", ["list"]],
    ["zzz", ["list"]],
    ["a\\b", ["a\\c"]],
  ])("the word nearest to %j is the one that the configuration's messages would find", (word, names) => {
    expect(shell.print('nearest "$@"', word, ...names)).toBe(nearest(word, names) ?? "");
  });
});

describe("help", () => {
  const names = hostCommands.map(({ name }) => name);
  const all = (form: string): string[] =>
    shell
      .print(`for name in "$@"; do set -- ${form}; ( main "$@" ); printf '\\036'; done`, ...names)
      .split("\u001e")
      .slice(0, -1);

  test("of every command is the same by all ways", () => {
    const shown = all('help "$name"');
    const words = (text: string) => text.replace(/\s+/g, " ");
    expect(shown.map(words)).toEqual(hostCommands.map(command => words(commandHelp(command))));
    expect(all('"$name" --help')).toEqual(shown);
    expect(all('"$name" latest -h')).toEqual(shown);
    const long = shown.flatMap(text => text.split("\n")).filter(line => line.length > 80);
    expect(long.filter(line => !line.startsWith("  prometheus-backup.sh "))).toEqual([]);
  });

  test.each(hostCommands)("of $name names all its options", command => {
    const text = commandHelp(command);
    expect(optionsOf(command).filter(({ name }) => !text.includes(`--${name}`))).toEqual([]);
  });

  test("the bare command on a terminal is the overview; without one it is a run", () => {
    const words = ["-qec", `bash ${shell.program}`, "/dev/null"];
    const { status, stdout } = spawnSync("script", words, { encoding: "utf8", input: "" });
    expect({ status, stdout: stdout.replaceAll("\r", "") }).toEqual({ status: 0, stdout: typed("help").stdout });
    const quiet = shell.run('load_config() { printf "%s" "$COMMAND"; exit 0; }; main </dev/null');
    expect(quiet).toMatchObject({ code: 0, stdout: "run" });
  });
});

describe("explain", () => {
  test("says of every code what it means and what to do first", () => {
    const wanted = exitCodes.map(({ code, meaning, first }) =>
      [`${code}: ${meaning}\n`, first === "" ? "" : `What to do first: ${first.replaceAll("`", "")}\n`].join(""),
    );
    const said = shell.print(
      `for code in "$@"; do command_explain "$code"; printf '\\036'; done`,
      ...exitCodes.map(({ code }) => String(code)),
    );
    expect(said.split("\u001e").slice(0, -1)).toEqual(wanted);
  });

  test("without a code names all of them, and needs no settings", () => {
    const codes = typed("explain")
      .stdout.split("\n")
      .filter(Boolean)
      .map(line => Number(line.slice(0, 4)));
    expect(codes).toEqual(exitCodes.map(({ code }) => code));
  });
});

test("who is not root is given the whole line to type, with the path", () => {
  expect(shell.print(`CALLED_WITH=(restore latest --from "2 hours ago" --note "it's"); as_root`)).toMatch(
    /^run: sudo \/\S+ restore latest --from '2 hours ago' --note 'it'\\''s'$/,
  );
  expect(shell.print(`command_explain() { as_root; }; main explain 8`)).toMatch(/^run: sudo \/\S+ explain 8$/);
});

test("browse says how its address is reached from another machine", () => {
  expect(shell.run("SCRATCH_URL=http://127.0.0.1:40001 HOST_NAME=prom-1; say_tunnel").stderr).toBe(
    "  to open it on your own machine, call there first: ssh -N -L 40001:127.0.0.1:40001 prom-1\n",
  );
});
