import { expect, test } from "vitest";
import { setNowhere } from "./names";

test.each([
  ["if [[ -n $REPOSITORY_EROR ]]; then true; fi", ["REPOSITORY_EROR"]],
  ['echo "${REPOSITORY_EROR:-none}"', ["REPOSITORY_EROR"]],
  ["(( BYTES_SENT > 0 ))", ["BYTES_SENT"]],
  ['echo "${#NAMES[@]}"', ["NAMES"]],
])("%s reads what nobody sets", (line, names) => {
  expect(setNowhere(`f() {\n  ${line}\n}\n`)).toEqual(names);
});

test.each([
  'ONE=1; echo "$ONE"',
  'read -r ONE TWO <file; echo "$ONE$TWO"',
  "mapfile -t ONE; echo ${#ONE[@]}",
  'printf -v ONE x; echo "$ONE"',
  'exec {ONE}<file; cat <&"$ONE"',
  'LIST[$1]=x; echo "${LIST[a]}"',
  'declare -gA ONE=(); echo "${ONE[x]}"',
  "awk '{ print $NF, FNR }'",
  'for ONE in 1; do echo "$ONE"; done',
  "# $NOBODY\ntrue",
  'echo "$EUID $SECONDS"',
])("%s reads nothing of that kind", line => {
  expect(setNowhere(`f() {\n  ${line}\n}\n`)).toEqual([]);
});
