// The rules against texts that bash would execute find what they are for.
import { expect, test } from "vitest";
import { violations } from "./shellRules";

test.each([
  ['eval "$words"', "eval"],
  ['if true; then source "$file"; fi', "source"],
  ['unset "METRICS[$key]"', "unset"],
  ['printf -v "M[$key]" x', "printf -v"],
  ['read -r "M[$key]" <<<x', "read"],
  ['declare "$name=1"', "name of a variable"],
  ["local -i n=0", "assignment"],
  ["if [[ $a -gt 1 ]]; then", "-eq and the like"],
  ["let n=$x", "let"],
  ['awk "{ print $1 + $more }"', "awk program"],
  ["if names | grep --line-regexp --quiet x; then", "first hit"],
  ["names | grep -xqF x", "first hit"],
  ['say "$count snapshots are there"', "no s"],
  ["printf '%d gaps' 1", "no s"],
  ['say "${#B_ULID[@]} of ${#B_ULID[@]} blocks"', "no s"],
  ['say "$(sum "${B_SAMPLES[@]}") samples"', "no s"],
  ['"\\(.objects | length) objects"', "no s"],
  ["first=$(names | head -n 1)", "ends before its input"],
  ["words=$(say | tr a b | head -c 300)", "ends before its input"],
  ["first=$(names | sed 1q)", "ends before its input"],
  ["first=$(names | grep --max-count=1 x)", "ends before its input"],
  ['TZ=UTC date --date="$text" +%s%3N', "uutils"],
  ['date -u --date "-$hours hours" +%s', "uutils"],
  ['line = line sprintf("%*s", wide, "")', "busybox"],
  ['if ! systemctl --quiet restart -- "$UNIT"; then', "sixth start"],
])("%s", (line, why) => {
  expect(violations("lib/x.sh", `f() {\n  ${line}\n}\n`)).toEqual([
    expect.stringMatching(new RegExp(`^lib/x.sh:2: .*${why}`)),
  ]);
});

test("a function that counts with what it has read has looked at its form", () => {
  const counts = (check: string) =>
    `f() {\n  local n\n  read -r n <file\n  ${check}\n  if (( n > 1 )); then return 1; fi\n}\n`;
  expect(violations("lib/x.sh", counts("true"))).toEqual([expect.stringContaining("f counts with $n as it was read")]);
  expect(violations("lib/x.sh", counts("[[ $n =~ ^[0-9]{1,9}$ ]] || return 1"))).toEqual([]);
});

test("what only looks like it is let through", () => {
  const good = [
    "# eval",
    "[[ -n $a ]] || grep --quiet x file",
    "names | sed --quiet 1p",
    "first=$(grep --max-count=1 x file | cut -f 2)",
    'zstd -dc | head --bytes "$limit"',
    'systemctl stop -- "$UNIT"',
    'unset "$name"',
    'printf -v now "%(%s)T" -1',
    "read -r key value <file",
    "local -A map=()",
    "grep -e x",
    "unset 'METRICS[$key]'",
    "printf '%s' \"$x\" | awk '{ print $1 }'",
  ];
  expect(violations("lib/x.sh", good.join("\n"))).toEqual([]);
});
