// Hosts that cannot be backed up are refused before anything is changed, with the reason and a way out.
import { describe, expect, test } from "vitest";
import { callStep } from "./bash";

/** A host on which all is well, until a line says otherwise. */
const host = `
  unit_property() { case "$2" in LoadState) echo loaded ;; ActiveState) echo active ;; esac; }
  systemctl() { case "$*" in *DynamicUser*) echo no ;; *--property=LoadState*cron.service) echo loaded ;; *LoadState*) echo not-found ;; esac; }
  http_get() {
    HTTP_STATUS=200
    case "$1" in
      /-/ready) HTTP_BODY='Prometheus Server is Ready.' ;;
      */buildinfo) HTTP_BODY='{"status":"success","data":{"version":"2.42.0"}}' ;;
      *) HTTP_BODY='{"status":"success","data":{"storage.tsdb.path":"/tmp","web.listen-address":":9090"}}' ;;
    esac
  }
  unit_processes() { echo $$; }
  find_server_process() { SERVER_PID=$$; }
  df() { echo Type; echo ext4; }
`;

function refused(lines: string): { code: number; failure: string } {
  const { code, failure } = callStep(
    "backup-job",
    `${host}\n${lines}\nrequire_backable "\${UNIT:-prometheus.service}" http://127.0.0.1:9090 ''`,
  );
  return { code, failure };
}

test("a host where all is well is taken", () => {
  expect(refused("")).toEqual({ code: 0, failure: "" });
});

describe("refused is", () => {
  test.each([
    [
      "a server in agent mode",
      "eval \"$(declare -f http_get | sed 's/Prometheus Server is/Prometheus Agent is/')\"",
      /^Prometheus at http:\/\/127\.0\.0\.1:9090 runs in agent mode: .*Back up the servers that it sends samples to/,
    ],
    [
      "a server before 2.39",
      "eval \"$(declare -f http_get | sed 's/2[.]42/2.38/')\"",
      /^this is Prometheus 2\.38\.0, .*Upgrade Prometheus first$/,
    ],
    [
      "a user that systemd makes",
      "eval \"$(declare -f systemctl | sed 's/echo no;/echo yes;/; s/echo no$/echo yes/')\"",
      /^prometheus\.service has DynamicUser=yes, .*Give it a user of its own: useradd --system prometheus/,
    ],
    [
      "data in the private directory of such a user",
      "eval \"$(declare -f http_get | sed 's#/tmp#/var/lib/private/p#')\"",
      /^prometheus\.service has DynamicUser=yes, /,
    ],
    [
      "a client of Docker",
      "find_server_process() { SERVER_PID=''; }; program_name() { echo docker; }",
      /^prometheus\.service runs docker, and not the server itself: it runs in a container, /,
    ],
    [
      "a snap, by its unit",
      "UNIT=snap.prometheus.prometheus.service",
      /^snap\.prometheus\.prometheus\.service is a snap: .*Install Prometheus from a package of your distribution/,
    ],
    [
      "a snap, by its program",
      'systemctl() { case "$*" in *MainPID*) echo $$ ;; *DynamicUser*) echo no ;; *) echo not-found ;; esac; }; readlink() { echo /snap/prometheus/86/bin/prometheus; }',
      /^prometheus\.service is a snap: /,
    ],
    ...["supervisord", "runsvdir", "s6-svscan"].map(
      name =>
        [
          `one of several programs of ${name}`,
          `bash -c 'exec -a /usr/bin/${name} sleep 5' >/dev/null 2>&1 & MAIN=$!; until grep -q ${name} /proc/$MAIN/cmdline; do :; done
          systemctl() { case "$*" in *MainPID*) echo $MAIN ;; *DynamicUser*) echo no ;; *) echo not-found ;; esac; }`,
          new RegExp(
            `^prometheus\\.service runs ${name}, of which the server is one program among others: .*Give Prometheus a unit of its own`,
          ),
        ] as [string, string, RegExp],
    ),
    [
      "a server in nobody's sight",
      "find_server_process() { SERVER_PID=''; }; find_server_elsewhere() { :; }; readlink() { :; }",
      /^no process of this host is the server that answers: /,
    ],
    [
      "a server with other paths",
      "eval \"$(declare -f judge_process | sed 's#/proc/$SERVER_PID/root$2 -ef#/etc -ef#')\"",
      /^what the server \(process \d+\) calls \/tmp is not \/tmp on this host: /,
    ],
    [
      "a server without a unit",
      "unit_property() { echo not-found; }",
      /^a Prometheus answers at http:\/\/127\.0\.0\.1:9090, but this host has no unit prometheus\.service; .*Name its unit in prometheus\.unit\./,
    ],
  ])("%s", (_title, lines, words) => {
    const { code, failure } = refused(lines);
    expect(failure).toMatch(words);
    expect(failure).toContain("nothing was changed. ");
    expect(code).toBe(12);
  });

  test("a server in agent mode for its rules, too", () => {
    const { code, failure } = callStep(
      "alert-rules",
      "http_get() { HTTP_BODY='Prometheus Agent is Ready.'; }; BASE_URL=http://a; refuse_agent 'it evaluates no rules' Move",
    );
    expect([code, failure]).toEqual([
      12,
      expect.stringMatching(
        /^Prometheus at http:\/\/a runs in agent mode: it evaluates no rules; nothing was changed\. Move/,
      ),
    ]);
  });

  test.each(["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone", "fuse.s3fs"])("data on %s", type => {
    expect(refused(`df() { echo Type; echo ${type}; }`).failure).toMatch(
      new RegExp(`^/tmp is on a network file system \\(${type.replace(".", "\\.")}\\), .*Move it to a local disk`),
    );
  });
});

test.each(["ext4", "xfs", "btrfs", "zfs", "overlay", "fuseblk", "fuse.mergerfs", "virtiofs", "ceph"])(
  "data on %s are taken",
  type => {
    expect(refused(`df() { echo Type; echo ${type}; }`).failure).toBe("");
  },
);

test("of a server that gives no flags only what its unit shows is judged", () => {
  const silent = 'http_get() { HTTP_STATUS=401 HTTP_BODY=Unauthorized; }; find_server_process() { SERVER_PID=""; }; ';
  expect(refused(`${silent}program_name() { echo prometheus; }`).failure).toBe("");
  expect(refused(`${silent}program_name() { echo podman; }`).failure).toMatch(/^prometheus\.service runs podman, /);
});

describe("cron", () => {
  /** What systemctl says of a host with these units of cron. */
  const units = (loaded: string, active: string): string => `systemctl() {
    local unit="\${*: -1}"
    case "$1" in
      show) if [[ " ${loaded} " == *" $unit "* ]]; then echo loaded; else echo not-found; fi ;;
      is-active) [[ " ${active} " == *" $unit "* ]] ;;
    esac
  }\n`;

  test.each(["cron.service", "crond.service", "cronie.service", "bcron-sched.service", "cron.target"])(
    "is what runs as %s",
    unit => {
      expect(
        callStep("backup-job", `${units(unit, unit)}require_cron; has_tool cron && printf %s "$CRON_UNIT"`).stdout,
      ).toBe(unit);
    },
  );

  test("is the one that runs, where two are installed", () => {
    expect(
      callStep("backup-job", `${units("cron.service cron.target", "cron.target")}require_cron; printf %s "$CRON_UNIT"`)
        .stdout,
    ).toBe("cron.target");
  });

  test("has to run", () => {
    expect(callStep("backup-job", `${units("cron.target", "")}require_cron_to_come`).failure).toMatch(
      /^cron does not run on this host, .*systemctl enable --now cron\.target$/,
    );
  });

  test.each([
    [
      "would remove something",
      "Remv systemd-cron [1.15.19-5]\nInst cron (3.0pl1-162)",
      /^installing cron would remove systemd-cron from this host; nothing was changed\. /,
    ],
    ["removes nothing", "Inst cron (3.0pl1-162)", /^$/],
  ])("is not installed where that %s", (_title, plan, words) => {
    expect(
      callStep("backup-job", `${units("", "")}apt-get() { printf '%s\\n' '${plan}'; }; require_cron_to_come`).failure,
    ).toMatch(words);
  });

  test("is not promised where nothing can install it", () => {
    expect(callStep("backup-job", `${units("", "")}command() { return 1; }; require_cron_to_come`).failure).toMatch(
      /^this host has no cron that starts what is in \/etc\/cron\.d, /,
    );
  });
});

test("a host that lacks what it needs, and has no package manager that is known, is refused before anything changes", () => {
  const alone = "command() { [[ $2 != apt-get && $2 != dnf && $2 != zstd ]]; }; ";
  for (const call of ["require_backable prometheus.service http://127.0.0.1:9090 ''", "ensure_tools jq zstd"]) {
    expect(callStep("backup-job", `${host}${alone}${call}`)).toMatchObject({
      code: 3,
      failure: expect.stringMatching(
        /^this host lacks zstd, and has neither apt-get nor dnf to install them; nothing was changed\. Install them with /,
      ) as unknown,
    });
  }
  expect(callStep("backup-job", `${host}${alone.replace("apt-get && $2 != ", "")}require_installable zstd`).code).toBe(
    0,
  );
});

test("cron that came with dnf is started", () => {
  const words = `systemctl() { case "$1" in show) echo not-found ;; enable) echo "$*" ;; esac; }
    command() { [[ $2 == dnf ]]; }; dnf() { :; }; has_tool() { [[ -n \${DONE:-} ]] || { DONE=1; false; }; }
    ensure_tools cron`;
  expect(callStep("backup-job", words)).toMatchObject({
    code: 0,
    stdout: "enable --now --quiet -- crond.service\n",
  });
});

test("a package that takes another away is not installed", () => {
  const words =
    "apt-get() { if [[ $1 == --simulate ]]; then printf 'Remv nginx-light\\nRemv nginx-core\\n'; else echo \"$*\" >&2; fi; }; install_with_apt nginx";
  expect(callStep("admin-api", words)).toMatchObject({
    code: 12,
    failure: expect.stringMatching(/^installing nginx would remove nginx-light nginx-core from this host; /) as unknown,
  });
});
