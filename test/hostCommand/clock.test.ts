// F29: clocks that jump, time zones, and what retention makes of a year of backups.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sealed } from "../tools/manifest";
import { sleep } from "../tools/process";
import { slowTest } from "../runner/pace";
import { lines, startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { Site, type Manifest } from "./site";

let setting: Setting;
let server: OwnServer;

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "clocked", port: 9381 });
});

afterAll(async () => {
  await server.stop();
  await setting.stop();
});

/** The time as the command sees it: bash and date believe the library, the disk and the S3 server do not. */
const shifted = (offset: string) => `LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=${offset}`;
const STRICT = { KEEP_DAYS: "3", KEEP_MINIMUM: "1", ORPHAN_GRACE_HOURS: "0" };
const DAY = 86_400_000;

/** Unix time in ms of a backup's name. */
const timeOf = (name: string) => Date.parse(name.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
const nameOf = (time: number) => new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, "");

async function backups(site: Site): Promise<string[]> {
  return (await site.list("--repository local")).map(({ name }) => name).sort();
}

async function goodBackups(site: Site, count: number): Promise<string[]> {
  for (let run = 0; run < count; run++) {
    await site.good();
  }
  return backups(site);
}

describe.concurrent("F29: the clock of the host", () => {
  test("a clock that runs ahead by forty days deletes nothing, and says why", async () => {
    const site = await Site.create(setting, {
      name: "ahead",
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: STRICT,
    });
    const before = await goodBackups(site, 2);
    // By this rule both would go.
    await site.configure({ KEEP_DAYS: "", KEEP_LAST: "1" });
    const { stderr } = await site.good("run", { environment: shifted("+40d") });
    expect(stderr).toContain(
      "prometheus-backup: warning: this host's clock is more than an hour ahead of repository local; retention was left out\n",
    );
    const [first, second, future = ""] = await backups(site);
    expect([first, second]).toEqual(before);
    expect(timeOf(future) - Date.now()).toBeGreaterThan(39 * DAY);
    // The clock is right again. What it named in the future is as old as the disk says, and neither stops retention nor
    // is a measure.
    await sleep(1000);
    const { stderr: right } = await site.good();
    expect(right).not.toContain("retention was left out");
    expect((await site.metrics()).get('repository_future_backups{repository="local"}')).toBe(1);
    const left = await backups(site);
    expect([left.length, left.includes(future)]).toEqual([1, false]);
    await sleep(1000);
    await site.good();
    expect((await site.metrics()).get('repository_future_backups{repository="local"}')).toBe(0);
    await site.good("verify");
  });

  slowTest("a clock that runs behind by forty days does not delete the backup that was just made", async () => {
    const site = await Site.create(setting, {
      name: "behind",
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: STRICT,
    });
    const before = await goodBackups(site, 2);
    await site.good("run", { environment: shifted("-40d") });
    const [past = "", ...rest] = await backups(site);
    expect(rest).toEqual(before);
    expect(Date.now() - timeOf(past)).toBeGreaterThan(39 * DAY);
    await site.good(`verify ${past}`);
  });

  slowTest("names are UTC and sort by time, whatever the time zone of the caller", async () => {
    const site = await Site.create(setting, { name: "zones", prometheusUrl: server.url, repositories: ["local"] });
    for (const zone of ["Asia/Tokyo", "America/Los_Angeles", "Europe/Berlin"]) {
      await site.good("run", { environment: `TZ=${zone}` });
    }
    const names = (await site.list()).map(({ name }) => name);
    expect(names).toEqual([...names].sort().reverse());
    expect(names.every(name => Math.abs(timeOf(name) - Date.now()) < 600_000)).toBe(true);
  });
});

describe("retention of a year of daily backups", () => {
  let site: Site;
  const now = Date.now();
  /** Daily at the time of this test, newest first, the newest made just now. */
  const daily = Array.from({ length: 365 }, (_value, age) => nameOf(now - age * DAY));

  beforeAll(async () => {
    site = await Site.create(setting, { name: "year", prometheusUrl: server.url, repositories: ["local"] });
    await site.good();
    const pattern = await site.manifest();
    const text = daily.map(name => `${name} ${sealed(renamed(pattern, name))}`).join("");
    await setting.host.run(
      `cd ${site.localPath}/year/backups && rm *.json
       while IFS=' ' read -r name line; do printf '%s\\n' "$line" >"$name.json"; done
       chown prometheus: *.json`,
      { input: text },
    );
  });

  function renamed(pattern: Manifest, name: string): object {
    return { ...pattern, name, startedAt: new Date(timeOf(name)).toISOString().replace(/\.\d{3}/, "") };
  }

  /** Names that would stay, newest first. */
  async function kept(rules: Record<string, string>): Promise<string[]> {
    await site.configure(rules);
    const { stdout } = await site.good("prune --dry-run");
    const going = new Set(
      lines(stdout).flatMap(line => /^ {2}- (\d{8}T\d{6}Z) {2}\d+ days old, no rule keeps it$/.exec(line)?.[1] ?? []),
    );
    expect(stdout).toMatch(new RegExp(`^local: ${daily.length - going.size} backups stay, ${going.size} go, `));
    return daily.filter(name => !going.has(name));
  }

  /** The newest name of each of the newest `count` periods. */
  function newestOf(count: number, period: (name: string) => string): string[] {
    const seen = new Map<string, string>();
    daily.forEach(name => seen.has(period(name)) || seen.set(period(name), name));
    return [...seen.values()].slice(0, count);
  }

  const union = (...lists: string[][]) => daily.filter(name => lists.some(list => list.includes(name)));

  test("no rule keeps everything", async () => {
    expect(await kept({})).toEqual(daily);
  });

  test("days", async () => {
    expect(await kept({ KEEP_DAYS: "30" })).toEqual(daily.slice(0, 31));
  });

  test("days, with a backup that a clock forty days ahead has named: the others get a day older by it, no more", async () => {
    const future = nameOf(now + 40 * DAY);
    const file = `${site.localPath}/year/backups/${future}.json`;
    await setting.host.writeFile(file, sealed(renamed(await site.manifest(daily[0]), future)), {
      owner: "prometheus:prometheus",
    });
    await site.configure({ KEEP_DAYS: "30" });
    const going = lines((await site.good("prune --dry-run")).stdout).filter(line => line.includes("no rule keeps it"));
    expect(going).toHaveLength(daily.length - 30);
    await setting.host.run(`rm ${file}`);
  });

  test("last, and the minimum is a floor", async () => {
    expect(await kept({ KEEP_LAST: "5" })).toEqual(daily.slice(0, 5));
    expect(await kept({ KEEP_LAST: "1", KEEP_MINIMUM: "4" })).toEqual(daily.slice(0, 4));
  });

  test("grandfather, father, son", async () => {
    const rules = { KEEP_DAILY: "7", KEEP_WEEKLY: "4", KEEP_MONTHLY: "12", KEEP_YEARLY: "3", KEEP_MINIMUM: "1" };
    expect(await kept(rules)).toEqual(
      union(
        newestOf(7, name => name.slice(0, 8)),
        newestOf(4, isoWeek),
        newestOf(12, name => name.slice(0, 6)),
        newestOf(3, name => name.slice(0, 4)),
      ),
    );
  });

  test("a pin keeps one whatever the rules say, until it is taken away", async () => {
    const old = daily[200] ?? "";
    await site.good(`pin ${old}`);
    expect(await kept({ KEEP_LAST: "2", KEEP_MINIMUM: "1" })).toEqual([...daily.slice(0, 2), old]);
    await site.good(`unpin ${old}`);
    expect(await kept({ KEEP_LAST: "2", KEEP_MINIMUM: "1" })).toEqual(daily.slice(0, 2));
  });

  /** Year and number of the ISO week of a name. */
  function isoWeek(name: string): string {
    const thursday = new Date(timeOf(name));
    thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
    const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
    return `${thursday.getUTCFullYear()}-${Math.ceil(((thursday.getTime() - first) / DAY + 1) / 7)}`;
  }
});
