// rclone prints nothing and ends well where a server answers its first question with an error: nothing has come then.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const NAME = "20260101T020000Z";

/**
 * What `call` ends with and says where S3 lists both objects, and what rclone reads begins to come with the given try.
 */
function said(call: string, comesWith: number): { code: number | null; stdout: string; stderr: string } {
  return shell.run(`
    COMMAND=run HOST_NAME=prom-1 STATE_DIR="$PWD/state" METRICS=() TRIES="$SCRATCH/tries" RESTORE_HOST=prom-1
    REPOSITORY_NAMES=(s3) REPOSITORY_TYPES=(rclone) REPOSITORY_LOCATIONS=(s3:bucket) OPEN_REPOSITORIES=(0) UNREACHABLE=()
    sleep() { :; }
    host_id() { printf %064d 7; }
    get_rclone() {
      printf x >>"$TRIES"
      if (( $(stat --format %s -- "$TRIES") < ${comesWith} )); then return 0; fi
      if [[ $1 == owner.json ]]; then printf '{"host":"prom-1","id":"%064d","since":"2026-01-01T00:00:00Z"}\n' 7; else printf 'not JSON'; fi
    }
    select_repository 0
    printf '121\towner.json\t2026-01-01 02:00:00\n8\tbackups/${NAME}.json\t2026-01-01 02:00:00\n' >"$OBJECT_LIST"
    ${call}`);
}

const lost = (object: string, bytes: number) =>
  `${object} came with 0 bytes instead of the ${bytes} that the repository lists`;

test("an owner that does not come is not another machine, and nobody is told to take over", () => {
  const call = 'require_owner || printf "%s" "$REPOSITORY_ERROR"';
  expect(said(call, 99)).toEqual({ code: 0, stdout: lost("owner.json", 121), stderr: "" });
  expect(said(`${call}; printf end`, 2)).toEqual({ code: 0, stdout: "end", stderr: "" });
});

test("a manifest that does not come is not damaged", () => {
  const call = `read_manifest ${NAME} "$MANIFEST" || printf "%s" "$REPOSITORY_ERROR"`;
  expect(said(call, 99).stdout).toBe(lost(`backups/${NAME}.json`, 8));
  // It came, as it is listed: now its content is judged.
  expect(said(call, 1).stdout).toBe(`backups/${NAME}.json is damaged: not JSON`);
  expect(
    said(`status=0; try_backup ${NAME} prom-1 || status=$?; printf "%s" "$status \${UNREACHABLE[*]}"`, 99).stdout,
  ).toBe(`1 s3 (s3:bucket/prom-1): ${lost(`backups/${NAME}.json`, 8)}`);
});

test("verify calls a manifest that does not come unreachable, and not damaged", () => {
  const listed =
    'listing="$SCRATCH/here"; cp -- "$OBJECT_LIST" "$listing"; repository_list() { cp -- "$listing" "$OBJECT_LIST"; }';
  const { code, stderr } = said(`${listed}; COMMAND=verify verify_repository 0 ${NAME} ""`, 99);
  expect([code, stderr]).toEqual([8, expect.stringContaining(`the manifest: ${lost(`backups/${NAME}.json`, 8)}`)]);
});

test("an object that does not come is not damaged, and not noted as such", () => {
  const fetch = `COPIES_READ=true; declare -gA COPIES=(["companions/${"0".repeat(64)}.tar.zst|5"]=0)
    fetch_from_any companions/${"0".repeat(64)}.tar.zst 5 ${"1".repeat(64)} "$SCRATCH/x" cat || printf "%s" "$FETCH_ERROR"
    if [[ -e $SCRATCH/damaged.found ]]; then cat -- "$SCRATCH/damaged.found"; fi`;
  const object = `companions/${"0".repeat(64)}.tar.zst`;
  expect(said(fetch, 99).stdout).toBe(
    `8 repository s3 (s3:bucket/prom-1): ${object} came without a byte, though the repository lists it`,
  );
  expect(said(fetch, 1).stdout).toContain("is damaged: its checksum is not the recorded one");
});
