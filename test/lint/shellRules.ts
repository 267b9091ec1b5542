/**
 * What bash executes though it looks like data: the value of a variable in arithmetic, a key of an array in `unset`,
 * and what is said to be a name. Others' texts must not get there. The rules are narrow, so that what they find is
 * either changed or named below with a reason. And what only some of the tools take that hosts have under one name.
 */

/** `eval`, `source` and the like, and names that are made of texts. */
const FORBIDDEN: [RegExp, string][] = [
  [/(^|[;&|({]|\bthen|\bdo|\belse)\s*eval\b/, "eval executes what a text says"],
  [/(^|[;&|({]|\bthen|\bdo|\belse)\s*let\b/, "let is arithmetic without a sign of it; write (( ))"],
  [/(^|[;&|({]|\bthen|\bdo|\belse)\s*(source|\.)\s+\S*\$/, "source executes a file that a text names"],
  [
    /\bunset\s+(-v\s+)?"[^"]*\[[^"]*\$/,
    "unset looks at the key once more and executes it; quote it with ' and give the reason to shellcheck",
  ],
  [/\bprintf\s+-v\s+"?[^\s"]*[[$]/, "printf -v executes the key of what it sets"],
  [/\b(read|mapfile)\s[^|;&<]*\s"?[A-Za-z_]\w*\[/, "read and mapfile execute the key of what they set"],
  [
    /(^|[;&|({]|\bthen|\bdo|\belse)\s*(declare|local|typeset|export|readonly)\s+(-[A-Za-z]+\s+)*"?\$/,
    "the name of a variable comes from a text",
  ],
  [/\b(declare|local|typeset)\s+-[A-Za-z]*[in]/, "an assignment to it is arithmetic, or goes to another variable"],
  [/\[\[?\s[^\]]*\s-(eq|ne|lt|le|gt|ge)\s/, "-eq and the like are arithmetic without a sign of it; write (( ))"],
  [
    /\b(awk|mawk)\b(\s+-\S+(\s+'[^']*'|\s+\S+)?)*\s+"[^"]*\$[A-Za-z_{]/,
    "a value becomes part of an awk program; pass it with -v",
  ],
  [
    /[^|]\|\s*(head\s+(-n|-c|--lines)|sed\s+(-\S+\s+)*'?\d*q\b|grep\s[^|]*(--max-count|-m\s?\d))/,
    "it ends before its input and whoever still writes is killed, which counts as a fault; take sed --quiet 1p or ${x:0:9}",
  ],
  [
    /[^|]\|\s*grep\s+(-\S+\s+)*(--quiet\b|-[A-Za-z]*q)/,
    "grep ends at the first hit and whoever still writes is killed, which counts as no hit; write >/dev/null",
  ],
  [
    /(^|[;&|({!]|\bthen|\bdo|\belse|\bif)\s*systemctl\s+(-\S+\s+)*(try-re|re)?start\s+["-]/,
    "systemd refuses the sixth start within ten seconds; use restart_anew or order_start",
  ],
  [
    /["'].*(\$\{#?\w+(\[@\])?\}|\$\w+|\$\(.*\)|%[ds]|\\\([^()]*\)) (damaged or missing )?(samples|blocks|objects|backups|snapshots|rules|checks|gaps|files|hosts)\b(?!=)/,
    "one of them has no s; write count_text, or counted in jq",
  ],
  [/\bdate\b.*%[0-9]N/, "date of uutils knows no %3N; write %N"],
  [/\bdate\b.*(--date|-d)[ =]"?-/, "date of uutils takes a sign in front for an option; count with EPOCHSECONDS"],
  [/\bs?printf\(?\s*"[^"]*%[-0]*\*/, "awk of busybox knows no width that is a value; make it part of the format"],
];

/** What is allowed all the same: file and a part of the line, and why. */
const ALLOWED: [file: string, part: string, reason: string][] = [
  ["lib/shell/text.sh", "%s samples", "samples_text itself"],
  [
    "lib/shell/settings.sh",
    'source "$CONFIG_FILE"',
    "root's own settings; check_config_file has looked at owner and mode",
  ],
  ["steps/common/files.sh", 'unset "STATE_FILES[$path]"', "a path that this step itself has installed"],
  ["steps/admin-api.sh", 'unset "STATE_FILES[$DROP_IN]"', "a path of the step's own"],
  ["steps/backup-job.sh", 'unset "STATE_DIRECTORIES[$index]"', "the index of a list"],
  ["steps/common/systemd.sh", 'systemctl restart -- "$1"', "restart_anew, behind reset-failed"],
  ["lib/server/control.sh", "systemctl start --no-block", "order_start, behind reset-failed"],
  ["lib/backup/cold.sh", "systemctl start --", "behind reset-failed, and waits"],
  ["steps/common/prometheus.sh", "printf -v ADDRESS", "a plain name"],
];

/** Functions that count with what they have read: function and variable, and who has made it a number. */
const NUMBERS: Record<string, string> = {
  "record_repository value": "the summary of this run, made by jq",
  "judge_samples before": "last_good_samples prints digits",
  "read_tombstones size": "sizes that find prints",
  "check_batch size": "sizes that find prints",
  "check_batch path": "its length alone",
  "check_block size": "sizes that find prints",
  "fetch_archive bytes": "the manifest has its form",
  "look_into_future newest": "jq prints it, of a meta.json that has its form; it is cut into digits, not counted with",
  "is_nearly_full all": "stat prints it",
  "is_nearly_full free": "stat prints it",
  "has_work work": "jq counts it",
  "plan_backup_lines gaps": "awk counts it",
  "plan_fetch bytes": "awk adds it up",
  "plan_retention by_size": "jq counts it",
  "plan_retention by_time": "jq counts it",
  "check_restored by_size": "jq counts it",
  "check_restored by_time": "jq counts it",
  "check_series wanted": "jq prints it, of a manifest that has its form",
  "check_series from": "cut by jq, and only sent to the server",
  "check_series to": "cut by jq, and only sent to the server",
  "check_alerts loaded": "jq counts it",
  "check_alerts failing": "jq counts it",
  "next_run time": "date prints it",
  "plan_space old": "a path whose size is asked",
  "make_writable mode": "stat prints it",
  "make_writable group": "stat prints it",
  "make_writable owner": "stat prints it",
};

const FUNCTION = /^([a-z_][a-z0-9_]*)\(\) (\{.*\}\n|\{\n[^]*?^\})/gm;
const COUNTING = /\(\([^]*?\)\)|\$\{[A-Za-z_]\w*:[^}\-+=?][^}]*\}/g;

/** Variables that a function fills with `read` or `mapfile` and counts with, without a look at their form. */
function unchecked(body: string): string[] {
  const read = [
    ...body.matchAll(/\bread(?: -[a-zA-Z]+| -d \S+)*((?: +[A-Za-z_]\w*)+)|\bmapfile(?: -t)? +([A-Za-z_]\w*)/g),
  ].flatMap(([, names = "", list = ""]) => `${names} ${list}`.split(/ +/));
  const counted = (body.match(COUNTING) ?? []).join(" ");
  return [...new Set(read)]
    .filter(
      name =>
        name !== "" &&
        name !== "_" &&
        new RegExp(`(?<![\\w#])${name}\\b`).test(counted) &&
        !new RegExp(`${name}\\b[^\\n]*=~`).test(body),
    )
    .sort();
}

/** What in a shell file may execute a text of others, a line each: "file:line: what". */
export function violations(file: string, text: string): string[] {
  const lines = text.split("\n").flatMap((line, index) => {
    const code = line.replace(/^\s*#.*/, "");
    return FORBIDDEN.filter(
      ([pattern]) => pattern.test(code) && !ALLOWED.some(([name, part]) => file.endsWith(name) && code.includes(part)),
    ).map(([, why]) => `${file}:${index + 1}: ${why}: ${line.trim()}`);
  });
  const numbers = [...text.matchAll(FUNCTION)].flatMap(([, name = "", body = ""]) =>
    unchecked(body)
      .filter(variable => NUMBERS[`${name} ${variable}`] === undefined)
      .map(
        variable =>
          `${file}: ${name} counts with $${variable} as it was read, and bash executes what a number is not; compare it with =~, or say in test/lint/shellRules.ts who has made it a number`,
      ),
  );
  return [...lines, ...numbers];
}
