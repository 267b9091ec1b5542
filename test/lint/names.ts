/** Set by bash, by jq, or by whoever calls: everything else that a program reads must be set somewhere in it. */
const FROM_OUTSIDE = new Set([
  "ARGS",
  "BASH",
  "BASHPID",
  "BASH_LINENO",
  "BASH_REMATCH",
  "BASH_SOURCE",
  "BASH_SUBSHELL",
  "CALLER_LOCALE",
  "EPOCHREALTIME",
  "EPOCHSECONDS",
  "EUID",
  "FUNCNAME",
  "HOME",
  "IFS",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "LINENO",
  "LOGNAME",
  "PATH",
  "PIPESTATUS",
  "PPID",
  "PROMETHEUS_BACKUP_CONFIG",
  "PROMETHEUS_BACKUP_TOOLKIT",
  "PROMETHEUS_BACKUP_ZONES",
  "PWD",
  "RANDOM",
  "SECONDS",
  "SUDO_USER",
  "TERM",
  "TMPDIR",
  "UID",
]);

const NAME = "[A-Z][A-Z0-9_]+";

/** A program without comments, here-documents and the programs of others that stand in single quotes. */
const bashOnly = (text: string): string =>
  text
    .replace(/^\s*#.*$/gm, "")
    .replace(/<<-?'([A-Z]+)'[^]*?^\1$/gm, "")
    .replace(/'[^'\n]*'/g, "''");

function all(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

/**
 * Variables of a joined program that it reads and sets nowhere: a slip of the pen, which bash would take for an empty
 * text.
 */
export function setNowhere(program: string): string[] {
  const text = bashOnly(program);
  const words = all(text, /\b(?:read|mapfile|declare|local|readonly|export)\b([^|;&<\n]*)/g).join(" ");
  const set = new Set([
    ...all(text, new RegExp(`(?<![\\w$])(${NAME})(?:\\[[^\\]\\n]*\\])?\\+?=`, "g")),
    ...all(text, new RegExp(`(?:printf -v |exec \\{|for )(${NAME})`, "g")),
    ...all(words, new RegExp(`(?<!\\S)(${NAME})(?![^\\s=])`, "g")),
  ]);
  const used = [
    ...all(text, new RegExp(`\\$\\{?[!#]?(${NAME})\\b`, "g")),
    ...all(text, new RegExp(`\\(\\([^)$]*?\\b(${NAME})\\b`, "g")),
  ];
  return [...new Set(used)]
    .filter(name => !set.has(name) && !FROM_OUTSIDE.has(name) && !name.startsWith("STEP_"))
    .sort();
}
