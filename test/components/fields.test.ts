// A setting that is added to a table is known everywhere: form, type, default, check, host, documentation, state.
import { expect, expectTypeOf, test } from "vitest";
import {
  choice,
  complete,
  defaultsOf,
  flag,
  group,
  keysOf,
  list,
  part,
  required,
  secret,
  table,
  text,
  whole,
  words,
} from "../../components/fields/group";
import { lineCheck, pattern } from "../../components/fields/patterns";
import { Findings } from "../../components/fields/problems";
import { changeSecrets } from "../../components/fields/secrets";
import { shapeProblems } from "../../components/stack/shape";
import { keysIn, renderKeys } from "../../scripts/tools/settings/keys";
import { settingRows, summedUp } from "../../scripts/tools/settings/page";

const Pace = { Slow: "slow", Fast: "fast" } as const;

interface Cooling {
  fans?: number;
  colour?: string;
  pace?: "slow" | "fast";
  quiet?: boolean;
  token?: string;
  tags?: string[];
  pumps?: { name: string; pin?: string }[];
}

const coolingForm = table<Cooling>()({
  fans: whole(1, 8, { default: 2, key: "FANS", says: "how many" }),
  colour: text({ check: pattern(/^[a-z]+$/, "must be a colour. Write `red`."), key: "FAN_COLOUR", says: "which" }),
  pace: choice(Pace, { default: Pace.Slow, key: "PACE", says: "how fast" }),
  quiet: flag({ default: false, says: "no noise" }),
  token: secret({
    fault:
      ({ pace }: { pace?: string }) =>
      () =>
        `is not ${pace ?? "any"}`,
    says: "name of a secret",
  }),
  tags: words({ check: lineCheck, says: "further words" }),
  pumps: list(group({ name: required(text()), pin: secret() }), { says: "each with `name` and `pin`" }),
});
const all = group({ cooling: part(coolingForm) });

test("its form refuses what it is not, in our words", () => {
  const wrong = { cooling: { fans: "2", pace: "fats", noise: true, pumps: [{}] } };
  const { error } = all.safeParse(wrong);
  expect(
    error && shapeProblems(all, error, wrong).map(({ path, text: words }) => `${path.join(".")} ${words}`),
  ).toEqual([
    "cooling.fans must be a number, and is a text. Correct it.",
    "cooling.pace must be one of `slow`, `fast`, and is `fats`. Choose one.",
    "cooling.pumps.0.name is missing. Add it.",
    expect.stringContaining("cooling.noise is not a setting here."),
  ]);
});

test("its defaults hold where it is left out, and nothing secret goes along", () => {
  expect(defaultsOf(coolingForm)).toEqual({ fans: 2, pace: "slow", quiet: false });
  expect(complete(all, { cooling: { colour: "red", token: "1", pumps: [{ name: "a", pin: "2" }] } })).toEqual({
    cooling: { fans: 2, colour: "red", pace: "slow", quiet: false, tags: undefined },
  });
  expectTypeOf(complete(all, {}).cooling.fans).toEqualTypeOf<number>();
  expectTypeOf(complete(all, {}).cooling.colour).toEqualTypeOf<string | undefined>();
  expectTypeOf(complete(all, {}).cooling).not.toHaveProperty("token");
});

test("a host is told it under its key", () => {
  expect(keysOf(all, complete(all, { cooling: { colour: "red" } }))).toEqual({
    FANS: "2",
    FAN_COLOUR: "red",
    PACE: "slow",
  });
  const shell = renderKeys(keysIn(all));
  expect(shell.split("\n")).toEqual(
    expect.arrayContaining([
      "  FANS FAN_COLOUR PACE",
      "  FANS=2",
      '  FAN_COLOUR=""',
      "  PACE=slow",
      "  require_whole FANS",
      "  require_choice PACE slow fast",
    ]),
  );
  expect(keysOf(all, complete(all, undefined))).toMatchObject({ FAN_COLOUR: "" });
});

test("its range and its check are held", () => {
  const found = new Findings();
  found.fields("hosts[1]", all, { cooling: { fans: 9, colour: "RED", token: "x", tags: ["a", "b\n"] } });
  expect(found.problems.map(({ path, text: words }) => `${path} ${words}`)).toEqual([
    "hosts[1].cooling.fans must be a whole number from 1 to 8, and is 9. Correct it.",
    "hosts[1].cooling.colour must be a colour. Write `red`.",
    "hosts[1].cooling.token is not any. Give the whole text of its file.",
    expect.stringContaining("hosts[1].cooling.tags[1] holds a line break"),
  ]);
});

test("a secret is found however deep, with its path and what is wrong with it", () => {
  const paths: string[] = [];
  const sealed = changeSecrets(
    all,
    { cooling: { pace: "fast", token: "1", pumps: [{ name: "a", pin: "2" }] } },
    (leaf, at, fault) => {
      paths.push(`${at} ${fault?.("") ?? ""}`);
      return leaf === "2" ? undefined : "sealed";
    },
  );
  expect(sealed).toEqual({ cooling: { pace: "fast", token: "sealed", pumps: [{ name: "a" }] } });
  expect(paths).toEqual(["cooling.token is not fast", "cooling.pumps[0].pin "]);
});

test("its row stands in the documentation", () => {
  expect(settingRows(all).map(row => `${row.path} | ${row.default} | ${row.says}`)).toEqual([
    "cooling.fans | `2` | how many",
    "cooling.colour |  | which",
    "cooling.pace | `slow` | how fast",
    "cooling.quiet | `false` | no noise",
    "cooling.token |  | name of a secret",
    "cooling.tags |  | further words",
    "cooling.pumps |  | each with `name` and `pin`",
  ]);
  expect(summedUp(all).map(({ path }) => path)).toEqual(["cooling.pumps[].name", "cooling.pumps[].pin"]);
});

test("a table that is not its interface does not compile", () => {
  interface Two {
    fans?: number;
    colour: string;
  }
  table<Two>()({ fans: whole(1, 8), colour: required(text()) });
  // @ts-expect-error -- a setting is missing
  table<Two>()({ fans: whole(1, 8) });
  // @ts-expect-error -- one is of another type
  table<Two>()({ fans: text(), colour: required(text()) });
  // @ts-expect-error -- one may be left out that must be there
  table<Two>()({ fans: whole(1, 8), colour: text() });
  // @ts-expect-error -- one is none of the interface
  table<Two>()({ fans: whole(1, 8), colour: required(text()), noise: flag() });
  // @ts-expect-error -- a default is of another type
  whole(1, 8, { default: "2" });
});
