// What a drill makes of a server's answers.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

test("a server that cannot name its metrics proves nothing, not even for a block with deleted series", () => {
  const said = shell.print(`
    api() { API_BODY="$SCRATCH/answer" API_ERROR="" API_STATUS=500; printf '{"status":"error","error":"no such segment"}' >"$API_BODY"; }
    B_ULID=(01M7VW2GC07R5ZX6V25SJJYA01) B_MIN=(0) B_MAX=(7200000) B_SAMPLES=(5) SCRATCH_VERSION=2.42.0
    declare -A MAY_LACK=([01M7VW2GC07R5ZX6V25SJJYA01]=true) MAY_EXCEED=() BLOCK_CHUNKS=([01M7VW2GC07R5ZX6V25SJJYA01]=9)
    if check_samples 0; then echo green; else echo "red: $DRILL_ERROR"; fi`);
  expect(said).toBe("red: no such segment");
});

test("a block whose samples are all deleted is as it should be", () => {
  const said = shell.print(`
    api() { API_BODY="$SCRATCH/answer" API_ERROR="" API_STATUS=200; printf '{"status":"success","data":[]}' >"$API_BODY"; }
    B_ULID=(01M7VW2GC07R5ZX6V25SJJYA01) B_MIN=(0) B_MAX=(7200000) B_SAMPLES=(5) SCRATCH_VERSION=2.42.0
    declare -A MAY_LACK=([01M7VW2GC07R5ZX6V25SJJYA01]=true) MAY_EXCEED=() BLOCK_CHUNKS=([01M7VW2GC07R5ZX6V25SJJYA01]=9)
    if check_samples 0; then echo "green: $DRILL_NOTE"; else echo "red: $DRILL_ERROR"; fi`);
  expect(said).toBe("green: hold deleted series");
});
