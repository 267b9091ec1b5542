/** One file of a room of `scripts/lib`; the order of a room says what it may use: itself, and rooms before it. */
export interface RoomFile {
  room: string;
  order: number;
  text: string;
}

const FUNCTION = /^([a-z_][a-z0-9_]*)\(\) (\{.*\}\n|\{\n[^]*?^\})/gm;

/** A file without what is no code of bash: comments, here-documents and programs in single quotes. */
const withoutPrograms = (text: string): string =>
  text
    .replace(/^\s*#.*$/gm, "")
    .replace(/<<-?'([A-Z]+)'[^]*?^\1$/gm, "")
    .replace(/'[^']*'/g, "''");

/** Where a program or a function is named to be called; a name with `_` is none of a usual word and counts anywhere. */
const calls = (body: string): Set<string> =>
  new Set([
    ...[...body.matchAll(/(?<![\w$.\-/{"[])([a-z][a-z0-9]*_[a-z0-9_]+)(?![\w\-=\]]|\(\))/g)].map(
      ([, name = ""]) => name,
    ),
    ...[
      ...body.matchAll(/(?:^|[;&|({!]|\b(?:if|then|else|do|while|until|in_background))\s*([a-z]+)(?![\w\-=\]]|\(\))/gm),
    ].map(([, name = ""]) => name),
  ]);

/** Calls of a function of a later room, a line each. */
export function upwardCalls(files: RoomFile[]): string[] {
  const functions = files.flatMap(file =>
    [...withoutPrograms(file.text).matchAll(FUNCTION)].map(([, name = "", body = ""]) => ({ ...file, name, body })),
  );
  const orders = new Map(functions.map(({ name, order, room }) => [name, { order, room }]));
  return functions.flatMap(({ name, room, order, body }) =>
    [...calls(body)].flatMap(called => {
      const target = orders.get(called);
      return target === undefined || target.order <= order
        ? []
        : [`lib/${room}: ${name} calls ${called} of lib/${target.room}, a later room`];
    }),
  );
}
