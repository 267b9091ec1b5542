import fs from "node:fs";
import path from "node:path";

/** A rule of ESLint: no file uses another one that uses it, directly or through others. */

/** @type {Map<string, string[]>} What each file imports of the files around it. */
const known = new Map();

/** @param {string} file */
function importsOf(file) {
  const found = known.get(file);
  if (found !== undefined) {
    return found;
  }
  const text = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
  const names = [...text.matchAll(/^(?:import|export|\}) [^;]*?from "(\.[^"]*)";/gm)].map(match => match[1] ?? "");
  const imports = names.map(name => `${path.join(path.dirname(file), name)}.ts`);
  known.set(file, imports);
  return imports;
}

/** The way from one file back to itself that begins with `next`, or nothing. */
function wayBack(file, next) {
  const ways = [[next]];
  const seen = new Set();
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    const last = way.at(-1);
    if (last === file) {
      return way;
    }
    if (!seen.has(last)) {
      seen.add(last);
      ways.push(...importsOf(last).map(other => [...way, other]));
    }
  }
  return undefined;
}

export const noCircles = {
  meta: {
    type: "problem",
    schema: [],
    messages: { circle: "{{way}} is a circle. Move what both need to a file below." },
  },
  create(context) {
    const file = context.filename;
    const check = node => {
      const name = node.source?.value;
      if (typeof name !== "string" || !name.startsWith(".")) {
        return;
      }
      const way = wayBack(file, `${path.join(path.dirname(file), name)}.ts`);
      if (way !== undefined) {
        const names = [file, ...way].map(each => path.relative(context.cwd, each));
        context.report({ node, messageId: "circle", data: { way: names.join(" -> ") } });
      }
    };
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};
