/**
 * Every global has one owner: the file that declares it at its head, outside functions, with a comment that says what
 * it is. Only functions of that file set it; others call one of them, or have a `local` of that name.
 */
export interface ShellFile {
  /** Below `scripts/`. */
  name: string;
  text: string;
}

const NAME = "[A-Z][A-Z0-9_]*";
const FUNCTION = /^([a-z_][a-z0-9_]*)\(\) (\{.*\}\n|\{\n[^]*?^\})/gm;
const START = `(?<=^|[\\s;({])(${NAME})(?:\\[[^\\]\\n]*\\])?\\+?=`;
/** A value on one line, roughly: what stands behind it tells an assignment from an environment of one call. */
const VALUE =
  /(?:"(?:[^"$\\]|\\.|\$\((?:[^()]|\([^()]*\))*\)|\$)*"|\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|[^\s;&|()"])*/y;

/** Of bash, and of the programs that are called: nobody's. */
const FOREIGN = new Set(["AWS_CA_BUNDLE", "AWS_PROFILE", "HOME", "IFS", "LC_ALL", "SECONDS", "TZ", "XDG_CACHE_HOME"]);

/** A file without what is no code of bash: comments, here-documents, texts and programs in single quotes. */
const bashOnly = (text: string): string =>
  text
    .replace(/(^|[ \t])#[ \t!].*$/gm, "")
    .replace(/<<-?'([A-Z]+)'[^]*?^\1$/gm, "")
    .replace(/(\w)'(?=\w)/g, "$1")
    .replace(/'[^']*'/g, "''")
    .replace(/\\\n\s*/g, " ");

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name = ""]) => name);

/** Names that follow one of these commands. */
const namesAfter = (text: string, commands: string): string[] =>
  all(text, new RegExp(`(?<![\\w$-])(?:${commands})\\b([^|;&<\\n]*)`, "g")).flatMap(words =>
    all(words, new RegExp(`(?<=\\s)(${NAME})(?=[ =+[]|$)`, "g")),
  );

/** Whether the text goes on with a word, so that what stands before it is set for one call only. */
function isForOneCall(text: string, end: number): boolean {
  if (text[end] === "(") {
    return false;
  }
  VALUE.lastIndex = end;
  VALUE.exec(text);
  const rest = text.slice(VALUE.lastIndex);
  const next = new RegExp(`^ +${START.replace("(?<=^|[\\s;({])", "")}`).exec(rest);
  return next ? isForOneCall(text, VALUE.lastIndex + next[0].length) : /^ +[^\s;&|})#]/.test(rest);
}

const assigned = (text: string): string[] =>
  [...text.matchAll(new RegExp(START, "gm"))]
    .filter(match => !isForOneCall(text, match.index + match[0].length))
    .map(([, name = ""]) => name);

/** What a function sets that is not its own. */
function setIn(body: string): string[] {
  const own = new Set(namesAfter(body, "local|(?:declare|typeset) -(?!\\w*g)\\w+"));
  const set = [
    ...assigned(body),
    ...all(body, new RegExp(`(?:printf -v |exec \\{|for |unset (?:-v )?)(${NAME})`, "g")),
    ...all(body, new RegExp(`\\(\\([^)$]*?\\b(${NAME})(?:\\[[^\\]]*\\])?\\s*(?:[-+*/|&]?=(?!=)|\\+\\+|--)`, "g")),
    ...namesAfter(body, "read|mapfile|declare -\\w*g\\w*"),
  ];
  return [...new Set(set)].filter(name => !own.has(name) && !FOREIGN.has(name));
}

const isComment = (line: string): boolean => /^\s*#/.test(line);

/** What a file declares at its head, and what of it has no comment: neither on its line nor above the group. */
function declarations(text: string): { names: string[]; unsaid: string[] } {
  const lines = text.replace(FUNCTION, "").replace(/\\\n/g, " ").split("\n");
  const names: string[] = [];
  const unsaid: string[] = [];
  let said = false;
  for (const line of lines) {
    const code = bashOnly(line);
    const found = new RegExp(`^(?:declare -\\w+ |readonly |export )?${NAME}\\+?=`).test(code)
      ? [...all(code, new RegExp(START, "g")), ...namesAfter(code, "declare -\\w+")]
      : [];
    said = isComment(line) || (said && found.length > 0);
    names.push(...found);
    if (!said && !/ # /.test(line) && !/^(readonly|export) /.test(line)) {
      unsaid.push(...found);
    }
  }
  return { names: [...new Set(names)], unsaid: [...new Set(unsaid)] };
}

/** Settings are declared by the generated function that sets them; what they are stands in docs/settings.md. */
const SETTINGS = /^set_config_defaults\(\) \{\n([^]*?)^\}/m;

/** What breaks the rule, a line each: "file: what". */
export function ownerless(files: ShellFile[]): string[] {
  const owners = new Map<string, string[]>();
  const found: string[] = [];
  for (const { name: file, text } of files) {
    const { names, unsaid } = declarations(text);
    names.push(...assigned(SETTINGS.exec(text)?.[1] ?? ""));
    for (const name of names) {
      owners.set(name, [...(owners.get(name) ?? []), file]);
    }
    found.push(...unsaid.map(name => `${file}: no comment says what $${name} is`));
  }
  for (const [name, by] of owners) {
    if (by.length > 1) {
      found.push(`${by.join(", ")}: $${name} is declared more than once`);
    }
  }
  for (const { name: file, text } of files) {
    const set = [...bashOnly(text).matchAll(FUNCTION)].flatMap(([, fn = "", body = ""]) =>
      setIn(body).map(name => ({ name, fn })),
    );
    for (const { name, fn } of set) {
      const owner = owners.get(name);
      if (owner === undefined) {
        found.push(`${file}: ${fn} sets $${name}, which is declared nowhere`);
      } else if (!owner.includes(file)) {
        found.push(`${file}: ${fn} sets $${name} of ${owner.join(", ")}`);
      }
    }
  }
  return found;
}
