// source: cold, and what keeps the server from coming back: told at once and with the reason, not when the patience for
// a long start is over.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { waitForPrometheus } from "../hosts/host";
import { COMMAND } from "./install";
import { COLD, guardianOf, stages, startOwnSite, type OwnSite } from "./ownSite";
import { kills, representatives, slowTest } from "../runner/pace";
import { chance } from "./random";
import { lines } from "./server";
import { openSetting, type Setting } from "./setting";
import { errorOf, expectFailure } from "./site";

/** Of links alone, a few ms each. */
const LINK_KILLS = kills(30, 100);

let setting: Setting;
let own: OwnSite;

beforeAll(async () => {
  setting = await openSetting();
  own = await startOwnSite(setting, { name: "cold-return", port: 9451, settings: COLD });
  await own.site.good();
});

afterAll(async () => {
  await own.server.stop();
  await setting.stop();
});

const configuration = "/srv/sites/cold-return/prometheus.yml";
/** Lines of the unit's that come on top of the others. */
const withUnit = (text: string) =>
  `install -d /etc/systemd/system/${own.server.unit}.service.d && printf '[Service]\\n%b\\n' '${text}' >/etc/systemd/system/${own.server.unit}.service.d/fault.conf && systemctl daemon-reload`;
const withoutUnit = () =>
  `rm -f /etc/systemd/system/${own.server.unit}.service.d/fault.conf && systemctl daemon-reload`;
const commandLine = async () =>
  (await setting.host.run(`sed -n 's/^ExecStart=//p' /etc/systemd/system/${own.server.unit}.service`)).trim();
const state = async () =>
  (await setting.host.run(`systemctl show --property ActiveState --value ${own.server.unit}`)).trim();

/** What a run that lost its server must not leave: nobody starts the server behind the back of whoever mends it. */
async function expectNothingLeft(): Promise<void> {
  expect(await stages(own)).toEqual([]);
  expect(
    lines(
      (
        await setting.host.exec(
          `ls ${own.site.stateDirectory}/cold.stopped 2>/dev/null; pgrep -f '${guardianOf(own.site)}'`,
        )
      ).stdout,
    ),
  ).toEqual([]);
}

describe("F1: a server that does not come back after a cold backup", () => {
  afterEach(async () => {
    await setting.host.run(
      `sed -i '/^no such key/d' ${configuration}; ${withoutUnit()}; chown prometheus: ${own.server.dataDirectory}/wal; systemctl reset-failed ${own.server.unit}; systemctl start ${own.server.unit}`,
    );
    await waitForPrometheus(setting.host, 60, own.server.url);
  });

  const faults: { title: string; spoil: () => string | Promise<string>; words: RegExp }[] = [
    {
      title: "because its configuration is broken",
      spoil: () => `printf 'no such key: 1\\n' >>${configuration}`,
      words: /field no such key not found/,
    },
    {
      title: "because of a flag that it does not know, and systemd gives up on it",
      spoil: async () =>
        withUnit(`ExecStart=\\nExecStart=${await commandLine()} --no-such-flag\\nRestart=always\\nRestartSec=0`),
      words: /unknown long flag '--no-such-flag'/,
    },
    {
      title: "because it may not read its WAL",
      // Not before the start: the links are made as the server's user.
      spoil: () =>
        withUnit(
          ["chown root:", "chmod 0700"]
            .map(command => `ExecStartPre=+/bin/${command} ${own.server.dataDirectory}/wal`)
            .join("\\n"),
        ),
      words: /wal: permission denied/,
    },
    {
      title: "because its program is gone, of which only systemd tells",
      spoil: () => withUnit("ExecStart=\\nExecStart=/usr/bin/no-such-prometheus\\nRestart=no"),
      words: /no-such-prometheus/,
    },
    {
      // As journald has a line of systemd's child that is gone before it could look: not counted to the unit, which a
      // field names.
      title: "because of what only a field of the journal counts to its unit",
      spoil: () => `printf 'MESSAGE=(heus)[1]: Failed at step STRAY\\nUNIT=${own.server.unit}.service\\n' >/srv/stray
        ${withUnit("ExecStartPre=+/usr/bin/systemd-run --quiet --wait /usr/bin/logger --journald=/srv/stray\\nExecStart=\\nExecStart=/bin/true\\nRestart=no")}`,
      words: /Failed at step STRAY/,
    },
    {
      title: "because what its unit starts ends without a fault and without a word",
      spoil: () => withUnit("ExecStart=\\nExecStart=/bin/true\\nRestart=on-failure"),
      words: /./,
    },
  ];

  test.for(representatives(faults, ({ title }) => /configuration|only a field/.test(title)))(
    "$title: 4 with its words",
    async ({ spoil, words }) => {
      await setting.host.run(await spoil());
      const { stderr } = await expectFailure(own.site, {
        code: 4,
        message: new RegExp(
          `^${own.server.unit}.service was stopped for a cold backup and does not come up again \\(it ended right after the start: .*${words.source}.*\\); no new backup was recorded; look at: journalctl -u ${own.server.unit}.service. When that is mended: systemctl start ${own.server.unit}.service$`,
        ),
      });
      expect(stderr).toContain(" failed backup=");
      await expectNothingLeft();
    },
  );

  test("after a run that could not link its blocks: 6, and a warning that it is down", async () => {
    // No hard link crosses a mount, even one of the same file.
    const index = `${own.server.dataDirectory}/${(await own.server.blocks())[0]}/index`;
    await setting.host.run(
      `mount --bind ${index} ${index}; ${withUnit("ExecStart=\\nExecStart=/usr/bin/no-such-prometheus")}`,
    );
    const failed = await own.site.command("run");
    await setting.host.run(`umount ${index}`);
    expect([failed.code, errorOf(failed)], failed.stderr).toEqual([
      6,
      expect.stringMatching(
        /^the data of the stopped server could not be linked \(.*Invalid cross-device link\); look at /,
      ),
    ]);
    expect(failed.stderr).toMatch(
      new RegExp(
        `warning: ${own.server.unit}.service does not come up again \\(it ended right after the start: .*no-such-prometheus.*\\)\\. Look at: journalctl -u ${own.server.unit}.service`,
      ),
    );
    await expectNothingLeft();
  });

  test("after a power cut in the middle of a run: the next run says so once and leaves it to whoever mends it", async () => {
    const { site, server } = own;
    await setting.host.run(`
      PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} run >>${site.directory}/runs.log 2>&1 & pid=$!
      while kill -0 $pid 2>/dev/null && [[ ! -e ${site.stateDirectory}/cold.stopped ]]; do :; done
      pkill -KILL -f '${guardianOf(site)}'; kill -KILL -- -$pid; wait $pid
      systemctl stop ${server.unit}; printf 'no such key: 1\\n' >>${configuration}; test -e ${site.stateDirectory}/cold.stopped`);
    const first = await site.command("run");
    expect([first.code, errorOf(first)]).toEqual([
      4,
      expect.stringContaining("does not come up again (it ended right after the start: "),
    ]);
    await setting.host.run(`systemctl stop ${server.unit}`);
    const second = await site.command("run");
    expect([second.code, errorOf(second)]).toEqual([4, expect.stringContaining("does not answer")]);
    expect(await state()).not.toBe("active");
    await setting.host.run(`sed -i '/^no such key/d' ${configuration}; systemctl start ${server.unit}`);
    await waitForPrometheus(setting.host, 60, server.url);
    await site.good();
    await expectNothingLeft();
  });
});

slowTest("a server that takes its time before it answers, as after a long WAL, gets it", async () => {
  await setting.host.run(
    withUnit(`ExecStartPre=/bin/sleep 2\\nExecStart=\\nExecStart=/bin/sh -c "sleep 4; exec ${await commandLine()}"`),
  );
  await own.site.good();
  expect((await own.site.metrics()).get("downtime_seconds")).toBeGreaterThan(6);
  await setting.host.run(withoutUnit());
});

describe("what a cold run leaves that is killed while it links", () => {
  /** A run that is killed as soon as it has linked something. */
  const killed = (how: string) => `
    PROMETHEUS_BACKUP_CONFIG=${own.site.configuration} setsid ${COMMAND} run >>${own.site.directory}/runs.log 2>&1 & pid=$!
    while kill -0 $pid 2>/dev/null && ! ls -d ${own.server.dataDirectory}/prometheus-backup-stage.*/01* >/dev/null 2>&1; do :; done
    ${how}; wait $pid || true`;
  beforeEach(() => waitForPrometheus(setting.host, 60, own.server.url));

  test("is removed by its guardian, because the server may need the inodes", async () => {
    // The kill comes well before the server is back, also on a busy machine.
    await setting.host.run(`${withUnit("ExecStartPre=/bin/sleep 3")}
      ${killed("kill -KILL -- -$pid; ls -d " + own.server.dataDirectory + "/prometheus-backup-stage.*")}
      while pgrep -f '${guardianOf(own.site)}' >/dev/null; do sleep 0.1; done
      ${withoutUnit()}`);
    await expectNothingLeft();
    await waitForPrometheus(setting.host, 60, own.server.url);
  });

  slowTest("is removed by a later run of the server's own user, if the guardian was killed too", async () => {
    const { site, server } = own;
    await setting.host.run(killed(`pkill -KILL -f '${guardianOf(site)}'; kill -KILL -- -$pid`));
    expect(await stages(own)).toHaveLength(1);
    await setting.host.run(`systemctl start ${server.unit}`);
    await waitForPrometheus(setting.host, 60, server.url);
    await site.configure({ SOURCE: "hot", BACKUP_USER: "prometheus" });
    // As the step backup-job does when the source changes.
    await setting.host.run(`chown -R prometheus: ${site.stateDirectory} ${site.localPath} ${site.textfileDirectory}`);
    expect((await site.good("run", { user: "prometheus" })).stderr).not.toContain("warning");
    expect(await stages(own)).toEqual([]);
  });

  test("can be removed by that user, whatever moment root is killed at", async () => {
    const random = chance("links");
    const moments = Array.from({ length: LINK_KILLS }, () => (0.002 + random.next() * 0.03).toFixed(4));
    const shown = await setting.host.run(`
      data=${own.server.dataDirectory} middle=0
      (sed -n '/^link_below() {/,/^}/p; /^as_owner() {/p; /^as_user() {/,/^}/p' ${COMMAND}; echo "STAGE_OWNER=prometheus:prometheus DATA_DIRECTORY=$data; cd $data; link_below $data/stage 01* && link_below $data/stage wal") >/run/link.sh
      for moment in ${moments.join(" ")}; do
        install -d -o prometheus -g prometheus $data/stage
        setsid bash /run/link.sh & pid=$!
        sleep $moment; kill -KILL -- -$pid 2>/dev/null && middle=$((middle + 1)); wait $pid || true
        setpriv --reuid=prometheus --regid=prometheus --clear-groups rm -r $data/stage 2>&1
      done
      echo "$middle in the middle"`);
    expect(shown, `seed ${random.seed}`).toMatch(/^\d+ in the middle\n$/);
    expect(Number.parseInt(shown)).toBeGreaterThan(LINK_KILLS / 10);
  });
});
