import { expect, test } from "vitest";
import { upwardCalls } from "./rooms";

const later = { room: "command", order: 1, text: "later_one() {\n  true\n}\n\nlater() { true; }\n" };
const earlier = (line: string) => ({ room: "shell", order: 0, text: `earlier() {\n  ${line}\n}\n` });

test.each([
  "later_one",
  "if ! later; then true; fi",
  'x="$(later_one "$1")"',
  "in_background later_one",
  "true | later",
])("a call of a later room is found: %s", line => {
  expect(upwardCalls([earlier(line), later])).toEqual([
    expect.stringMatching(/^lib\/shell: earlier calls later(_one)? of lib\/command, a later room$/),
  ]);
});

test.each(["# later_one", "awk '{ later_one }'", 'say "sooner or later"', 'printf "%s" "$later_one"'])(
  "what is no call is none: %s",
  line => {
    expect(upwardCalls([earlier(line), later])).toEqual([]);
  },
);

test("a room may use itself and those before it", () => {
  expect(
    upwardCalls([
      { room: "shell", order: 0, text: "early() {\n  true\n}\n" },
      { room: "command", order: 1, text: "late() {\n  early; own\n}\n\nown() { early; }\n" },
    ]),
  ).toEqual([]);
});
