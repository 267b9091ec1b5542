// The step for the admin API on a server that has it on.
import { expect, test } from "vitest";
import { callStep } from "./bash";

const stubs = `
  for name in ensure_tools require_backable use_server require_server require_own_server require_version read_proxy_settings unit_files; do eval "$name() { :; }"; done
  server_flag() { VALUE=true; }
  check_exposure() { echo guarded; }
  find_exec_start() { echo "looks at the command"; die 12 'it starts a script'; }
  SETTINGS=([UNIT]=prometheus.service [URL]=http://127.0.0.1:9090 [EXPOSURE]=loopback)
`;

test("an admin API that is on already is left to who turned it on, whatever starts the server, but it has to be guarded", () => {
  expect(callStep("admin-api", `${stubs} step_install; echo "$CHANGED"`)).toEqual({
    code: 0,
    stdout: "guarded\nfalse\n",
    failure: "",
  });
});

test("one that we have turned on is looked after", () => {
  const ours = "STATE_FILES=([/etc/systemd/system/prometheus.service.d/zz-prometheus-backup-admin-api.conf]=x)";
  expect(callStep("admin-api", `${stubs} ${ours}; step_install`)).toMatchObject({
    code: 12,
    stdout: "looks at the command\n",
  });
});

test("where SELinux is enforced, nginx is not put in front of a server: it could not listen", () => {
  const call = (enforced: string, more = "") =>
    callStep(
      "admin-api",
      `selinux_enforced() { [[ ${enforced} == 1 ]]; }; PROXY_ADDRESSES=("[::]:9090") LOOPBACK_LISTEN=127.0.0.1:9091
      ${more}refuse_selinux`,
    );
  expect(call("1")).toMatchObject({
    code: 12,
    failure: expect.stringMatching(
      /^SELinux is enforced on this host, where nginx may neither listen on \[::\]:9090 nor reach 127\.0\.0\.1:9091; nothing was changed\. .*source: hot$/,
    ) as unknown,
  });
  expect(call("0").code).toBe(0);
  expect(call("1", "STATE_VALUES=([proxy_listen]=x); ").code).toBe(0);
});
