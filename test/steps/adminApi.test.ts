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
