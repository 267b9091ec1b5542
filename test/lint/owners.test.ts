// Which rule of owners is broken, and what is none of it.
import { expect, test } from "vitest";
import { ownerless } from "./owners";

const OWNER = { name: "lib/a.sh", text: 'X=""  # of set_x\nset_x() { X=$1; }\n' };
const faults = (text: string) => ownerless([OWNER, { name: "lib/b.sh", text }]);

test("the owner sets what it declares", () => {
  expect(faults("")).toEqual([]);
});

test.each([
  "X=1",
  "X+=1",
  "local y; X=1",
  "Y=1 X=$Y",
  "if true; then X=1; fi",
  "read -r X <file",
  "mapfile -t X <file",
  "printf -v X '%s' 1",
  "exec {X}<file",
  "(( X += 1 ))",
  "(( X++ ))",
  'say "nobody\'s"; X=1; say "anybody\'s"',
])("%s sets the variable of another file", line => {
  expect(faults(`f() {\n  ${line}\n}\n`)).toContain("lib/b.sh: f sets $X of lib/a.sh");
});

test.each([
  "local X; X=1",
  "local y X=1",
  "X=1 g",
  'X="$(g "$1")" g',
  "[[ $X == 1 ]]",
  "(( X == 1 ))",
  'say "$X=1"',
  "jq 'X=1'",
  "true  # X=1",
  "IFS=, read -r y <file",
])("%s does not", line => {
  expect(faults(`f() {\n  ${line}\n}\n`)).toEqual([]);
});

test("what is declared nowhere, twice, or without a word about it", () => {
  expect(faults("f() { Y=1; }\n")).toEqual(["lib/b.sh: f sets $Y, which is declared nowhere"]);
  expect(faults('X=""  # mine\n')).toEqual(["lib/a.sh, lib/b.sh: $X is declared more than once"]);
  expect(faults('Y=""\n')).toEqual(["lib/b.sh: no comment says what $Y is"]);
  expect(faults('# Both of f.\nY="" Z=()\ndeclare -gA ALL=()\nf() { Y=1 Z=(2) ALL[x]=3; }\n')).toEqual([]);
});
