// The name of the series that has a sample in the future, in the warning of a run.
import { afterAll, expect, test } from "vitest";
import { Shell } from "../restore/shell";

const shell = new Shell();
afterAll(() => shell.remove());

const late = 1796057552000000;
const found =
  '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"asked"},"value":[1,"1"]}]}}';
const nothing = '{"status":"success","data":{"resultType":"vector","result":[]}}';
const listed = '{"status":"success","data":[{"__name__":"listed","from":"sensor"},{"__name__":"other"}]}';
const noSeries = '{"status":"success","data":[]}';

test("is what a query finds, else what the list of series has; without either it is left out", () => {
  const { stderr } = shell.run(
    `BLOCKS="$SCRATCH/blocks"; printf '%s' "$1" >"$BLOCKS"
    api() { API_STATUS=200 API_BODY="$SCRATCH/answer"; if [[ $2 == */series ]]; then printf '%s' "$LIST"; else printf '%s' "$QUERY"; fi >"$API_BODY"; }
    QUERY=$2 LIST=$4 look_into_future; QUERY=$3 LIST=$4 look_into_future; QUERY=$3 LIST=$5 look_into_future`,
    JSON.stringify([{ ulid: "01M7VW2GC07R5ZX6V25SJJ0098", minTime: 0, maxTime: late + 1 }]),
    found,
    nothing,
    listed,
    noSeries,
  );
  const words = stderr
    .trimEnd()
    .split("\n")
    .map(line => /at (\d+ ms.*); the server/.exec(line)?.[1]);
  expect(words, stderr).toEqual([
    `${late} ms, of {"__name__":"asked"}`,
    `${late} ms, of {"__name__":"listed","from":"sensor"}`,
    `${late} ms`,
  ]);
});
