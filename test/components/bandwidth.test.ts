// Bandwidths against rclone itself: what is taken here is taken there, and what rclone refuses is refused.
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bandwidthForm } from "../../components/backupJob/limits";
import { slowTest } from "../runner/pace";

/** Which of the texts rclone takes as `--bwlimit`. */
function takenByRclone(texts: string[]): string[] {
  const loop =
    'for text in "$@"; do if rclone --config /dev/null --bwlimit "$text" version &>/dev/null; then printf "%s\\n" "$text"; fi; done';
  const { stdout, status, stderr } = spawnSync("bash", ["-c", loop, "bash", ...texts], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.split("\n").slice(0, -1);
}

const taken = [
  "10M",
  "10",
  "0",
  "1.5M",
  "512k",
  "10Mi",
  "10MiB",
  "10b",
  "1G",
  "off",
  "10M:1M",
  "10M:off",
  "off:1M",
  "08:00,512k",
  "08:00,512k 19:00,10M",
  "00:00,1M:2M 23:59,off",
  "Mon-08:00,512k Sat-00:00,off",
  "00:00,10M Fri-18:00,1M:512k",
];
const refused = [
  "fast",
  "",
  " ",
  "10MB",
  "10 M",
  "10M/s",
  "10Z",
  "-1M",
  "10M:",
  ":1M",
  "1M:2M:3M",
  "8:00,512k",
  "24:00,1M",
  "08:60,1M",
  "08:00,",
  "Foo-08:00,1M",
  "08:00,512k  19:00,1M",
  " 10M",
  "10M ",
  "10M 20M",
  "10M,20M",
  "1i",
];

test("what rclone takes and refuses", () => {
  expect(takenByRclone([...taken, ...refused])).toEqual(taken);
  expect([...taken, ...refused].filter(text => bandwidthForm.test(text))).toEqual(taken);
});

test.each(["08:00", "1e3M", "1_0M", "+1M"])(
  "%s, which rclone takes for something else than it looks like, is refused",
  text => {
    expect(takenByRclone([text])).toEqual([text]);
    expect(bandwidthForm.test(text)).toBe(false);
  },
);

const number = fc.oneof(
  fc.nat(999_999_999).map(String),
  fc.tuple(fc.nat(9999), fc.nat(999)).map(([whole, rest]) => `${whole}.${rest}`),
);
const unit = fc.constantFrom("", "b", "B", "k", "K", "m", "M", "g", "G", "t", "T", "p", "P", "Ki", "MiB", "gi");
const size = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(number, unit).map(parts => parts.join("")) },
  { weight: 1, arbitrary: fc.constant("off") },
);
const rate = fc.oneof(
  size,
  fc.tuple(size, size).map(([up, down]) => `${up}:${down}`),
);
const two = (limit: number) => fc.nat(limit).map(value => String(value).padStart(2, "0"));
const day = fc.constantFrom("", "Mon-", "Tue-", "Wed-", "Thu-", "Fri-", "Sat-", "Sun-");
const slot = fc
  .tuple(day, two(23), two(59), rate)
  .map(([name, hour, minute, limit]) => `${name}${hour}:${minute},${limit}`);
const wellFormed = fc.oneof(
  rate,
  fc.array(slot, { minLength: 1, maxLength: 4 }).map(slots => slots.join(" ")),
);
/** One letter of it is another one, is gone or has company. */
const nearly = fc
  .tuple(wellFormed, fc.nat(), fc.constantFrom("", ..."0158:,.- MkibZx"))
  .map(([text, place, letter]) => {
    const at = place % (text.length + 1);
    return text.slice(0, at) + letter + text.slice(at + (place % 2));
  });

slowTest("rclone takes every bandwidth that is taken here", () => {
  const texts = [
    ...fc.sample(wellFormed, 60),
    ...fc
      .sample(nearly, 250)
      .filter(text => bandwidthForm.test(text))
      .slice(0, 60),
  ];
  expect(texts.filter(text => !bandwidthForm.test(text))).toEqual([]);
  expect(takenByRclone(texts)).toEqual(texts);
});
