// Two records of the same screen differ in what was measured, never in words: these are compared.

const RULES: [RegExp, string][] = [
  // ULIDs, names of backups and snapshots, checksums.
  [/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, "ULID"],
  [/\b\d{8}T\d{6}Z(-[0-9a-f]{16})?\b/g, "BACKUP"],
  [/\bbackups-[0-9a-f]{8}\b/g, "BUCKET"],
  [/(\d{4}-)?\b\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?/g, "TIME"],
  // What was measured keeps its kind, not its unit.
  [/\b\d+(\.\d+)? (B|kB|MB|GB|TB)\b/g, "SIZE"],
  [/\b\d+(\.\d+)? (ms|s|min|h|d|days?)\b( \d+ (s|min|h)\b)?/g, "SPAN"],
  [/\b\d+(\.\d+)?( [kMG](?= samples))?/g, "N"],
  // Columns are as wide as what stands in them, and a line may have been folded between two of them.
  [/(\S) {2,}/g, "$1 "],
];

/** A line without what differs from one run to the next; every word and every column is left. */
export function shape(line: string): string {
  return RULES.reduce((text, [what, instead]) => text.replace(what, instead), line);
}

const COLUMNS = 80;

/** The lines as they were before the terminal's width folded them: what stands in them decides where. */
export function unfold(lines: string[]): string[] {
  const whole: string[] = [];
  const indent = (line: string): number => line.length - line.trimStart().length;
  let first = "";
  let last = "";
  for (const line of lines) {
    const [word = ""] = line.trimStart().split(" ");
    const typed = word === "prometheus-backup.sh";
    const full = last.length + 1 + word.length > COLUMNS || typed;
    if (full && word !== "" && last !== "" && indent(line) >= indent(first) + 4) {
      whole.push(`${whole.pop() ?? ""} ${line.trimStart()}`);
    } else {
      whole.push(line);
      first = line;
    }
    last = line;
  }
  return whole;
}

interface Line {
  number: number;
  text: string;
  shape: string;
}

/** Lines of one shape that follow each other, such as the blocks of a backup, are one: their number is measured. */
function linesOf(screen: string, anyOrder: boolean): Line[] {
  const lines = unfold(screen.split("\n")).map((text, index) => ({ number: index + 1, text, shape: shape(text) }));
  if (anyOrder) {
    lines.sort((one, other) => (one.shape < other.shape ? -1 : 1));
  }
  return lines.filter((line, index) => line.shape !== lines[index - 1]?.shape);
}

/**
 * The first line in which two screens differ, as part of a sentence; nothing if there is none. `anyOrder`: for lines of
 * work that is done side by side.
 */
export function difference(shown: string, real: string, anyOrder = false): string | undefined {
  const [documented = [], seen = []] = [shown, real].map(screen => linesOf(screen, anyOrder));
  for (let index = 0; index < Math.max(documented.length, seen.length); index++) {
    const [before, now] = [documented[index], seen[index]];
    if (before?.shape !== now?.shape) {
      return `line ${(before ?? now)?.number}: there is ${quoted(before)}, and on the screen ${quoted(now)}`;
    }
  }
  return undefined;
}

/**
 * The first line of an excerpt that the real screen does not have; `...` stands for any lines, `…` for a time before a
 * line of the log.
 */
export function strange(excerpt: string[], real: string): string | undefined {
  const general = (text: string): string =>
    shape(text)
      .replace(/^… (?=\w)/, "TIME ")
      .replace(/\bprom-[a-zN]+\b/g, "HOST");
  const lines = real.split("\n");
  const known = new Set([...lines, ...unfold(lines)].map(general));
  return excerpt.find(line => !/^\s*(\.\.\.|…)?$/.test(line) && !known.has(general(line)));
}

const quoted = (line: Line | undefined): string => (line === undefined ? "nothing" : `\`${line.text}\``);
