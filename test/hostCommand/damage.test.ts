// F8: what lies in the repository is not what was put there. verify names it, the next run mends it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packed, unpacked } from "../tools/manifest";
import { slowTest, variants } from "../runner/pace";
import { lines, startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { Site, type Manifest } from "./site";

let setting: Setting;
let server: OwnServer;

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "sound", port: 9351 });
});

afterAll(async () => {
  await server.stop();
  await setting.stop();
});

/** Ways to spoil an object: from what it is and what another one is to what it becomes; `undefined` is gone. */
const WAYS: Record<string, (good: Buffer, other: Buffer) => Buffer | undefined> = {
  "a byte flipped": good => Buffer.from(good.map((byte, at) => (at === Math.floor(good.length / 2) ? byte ^ 1 : byte))),
  "cut off": good => good.subarray(0, good.length - 10),
  emptied: () => Buffer.alloc(0),
  "replaced by another block": (_good, other) => other,
  gone: () => undefined,
};

type Place = "local" | "offsite";

async function read(site: Site, place: Place, object: string): Promise<Buffer> {
  if (place === "offsite") {
    return site.getOffsite(object);
  }
  return Buffer.from(await setting.host.run(`base64 ${site.localPath}/${site.name}/${object}`), "base64");
}

async function write(site: Site, place: Place, object: string, body: Buffer | undefined): Promise<void> {
  const file = `${site.localPath}/${site.name}/${object}`;
  if (body === undefined) {
    await (place === "offsite" ? site.deleteOffsite([object]) : setting.host.run(`rm ${file}`));
  } else if (place === "offsite") {
    await site.putOffsite(object, body);
  } else {
    await setting.host.run(`base64 -d >${file}`, { input: body.toString("base64") });
  }
}

const damagedLines = (stdout: string) =>
  lines(stdout)
    .filter(line => line.startsWith("  ✘ "))
    .sort();

describe.concurrent.each(variants<Place>(["local"], ["offsite"]))("F8 in the repository %s", place => {
  /** What a listing tells is compared in the same way wherever it comes from. */
  const listed = place === "local" ? [place] : variants<Place>([], [place]);

  test("every kind of damage is named by verify, mended by the next run, and then verify is green", async () => {
    const name = `damage-${place}`;
    const site = await Site.create(setting, { name, prometheusUrl: server.url, repositories: [place] });
    await site.good();
    const first = await site.manifest();
    const objects = first.blocks.filter(({ head }) => !head).map(({ object }) => object ?? "");
    const ways = Object.entries(WAYS);
    const expected: string[] = [];
    for (const [index, [, spoil]] of ways.entries()) {
      const object = objects[index] ?? "";
      const whole = await read(site, place, object);
      const spoiled = spoil(whole, await read(site, place, objects.at(-1) ?? ""));
      await write(site, place, object, spoiled);
      const different = spoiled?.length === whole.length ? "has another checksum" : "has another size";
      expected.push(`  ✘ ${object}  ${spoiled === undefined ? "is missing or cannot be read" : different}`);
    }

    const red = await site.command("verify");
    expect({ code: red.code, damaged: damagedLines(red.stdout) }).toEqual({ code: 9, damaged: expected.sort() });
    expect(red.stderr).toContain(
      `backup ${first.name} in repository ${place} has ${ways.length} damaged or missing objects (above); the next run repairs what the server still has;`,
    );
    const metrics = await site.metrics();
    expect(metrics.get("verify_last_exit_code")).toBe(9);
    expect(metrics.get("verify_last_success_timestamp_seconds")).toBeUndefined();

    await site.good();
    await site.good("verify");
    // The backup from before shares the blocks, so it is whole again as well.
    await site.good(`verify ${first.name}`);
    expect((await site.metrics()).get("verify_last_exit_code")).toBe(0);
    expect((await site.list()).every(({ complete }) => complete)).toBe(true);
  });

  slowTest.each(listed)(
    "what the listing of %s shows (another size, gone) is mended without any verify before",
    async () => {
      const name = `listed-${place}`;
      const site = await Site.create(setting, { name, prometheusUrl: server.url, repositories: [place] });
      await site.good();
      const [cut = "", gone = ""] = (await site.manifest()).blocks.map(({ object }) => object ?? "");
      await write(site, place, cut, (await read(site, place, cut)).subarray(5));
      await write(site, place, gone, undefined);
      expect((await site.list()).map(({ complete }) => complete)).toEqual([false]);
      await site.good();
      expect((await site.list()).map(({ complete }) => complete)).toEqual([true, true]);
      await site.good("verify");
    },
  );

  test.each(listed)(
    "the head of a backup in %s cannot be had again: that backup stays red, the next one is green",
    async () => {
      const name = `head-${place}`;
      const site = await Site.create(setting, { name, prometheusUrl: server.url, repositories: [place] });
      await site.good();
      const first = await site.manifest();
      const head = `heads/${first.name}.tar.zst`;
      await write(site, place, head, WAYS["a byte flipped"]?.(await read(site, place, head), Buffer.alloc(0)));
      expect(damagedLines((await site.command("verify")).stdout)).toEqual([`  ✘ ${head}  has another checksum`]);
      await site.good();
      await site.good("verify");
      expect((await site.command(`verify ${first.name}`)).code).toBe(9);
    },
  );

  slowTest.each(place === "local" ? ["a byte flipped", "cut off", "emptied"] : ["cut off"])(
    "a manifest with %s is told by verify, is no backup in list, and stops prune from removing objects",
    async way => {
      const name = `manifest-${place}-${way.replaceAll(" ", "-")}`;
      const site = await Site.create(setting, {
        name,
        prometheusUrl: server.url,
        repositories: [place],
        settings: { KEEP_LAST: "1", KEEP_MINIMUM: "1", ORPHAN_GRACE_HOURS: "0" },
      });
      await site.good();
      const { name: backup } = await site.manifest();
      const object = `backups/${backup}.json`;
      await write(site, place, object, WAYS[way]?.(await read(site, place, object), Buffer.alloc(0)));
      const red = await site.command("verify");
      expect(red.code).toBe(9);
      expect(red.stderr).toMatch(
        new RegExp(`^prometheus-backup: error: repository ${place}: ${object} is damaged: `, "m"),
      );
      if (way !== "a byte flipped") {
        expect((await site.list()).map(({ damaged, complete }) => ({ damaged, complete }))).toEqual([
          { damaged: true, complete: false },
        ]);
      }
      const blocks = async () =>
        [...(place === "local" ? await site.localObjects() : await site.offsiteObjects()).keys()].filter(key =>
          /^(blocks|heads)/.test(key),
        );
      const before = await blocks();
      await site.command("prune --yes");
      expect(await blocks()).toEqual(before);
    },
  );

  test.each(place === "local" ? variants(["another checksum"], ["emptied", "a byte flipped", "cut off"]) : ["cut off"])(
    "a manifest with %s stops no run, and nothing that it says gets into the next one",
    async way => {
      const site = await Site.create(setting, {
        name: `poisoned-${place}-${way.replaceAll(" ", "-")}`,
        prometheusUrl: server.url,
        repositories: [place],
      });
      await site.good();
      const first = await site.manifest();
      const object = `backups/${first.name}.json`;
      const good = await read(site, place, object);
      // It can be read as before, but would have every later backup look for other bytes.
      const misled = (): Buffer => packed(unpacked(good).replace(first.blocks[0]?.objectSha256 ?? "", "0".repeat(64)));
      await write(site, place, object, way === "another checksum" ? misled() : WAYS[way]?.(good, Buffer.alloc(0)));

      const { stderr } = await site.good();
      expect(stderr).toMatch(
        new RegExp(
          `^prometheus-backup: warning: repository ${place}: ${object} is damaged: .*; nothing that it says is used\\. See: prometheus-backup\\.sh verify ${first.name}$`,
          "m",
        ),
      );
      expect((await site.metrics()).get(`repository_damaged_backups{repository="${place}"}`)).toBe(1);
      const pooled = ({ blocks }: Manifest) => blocks.filter(({ head }) => !head);
      expect(pooled(await site.manifest())).toEqual(pooled(first));
      await site.good("verify");
      // The next one relies on what is sound.
      await site.good();
      expect((await site.manifest()).totals.sentBytes).toBeLessThan(first.totals.sentBytes / 2);
      await write(site, place, object, undefined);
      await site.good();
      expect((await site.metrics()).get(`repository_damaged_backups{repository="${place}"}`)).toBe(0);
    },
  );
});
