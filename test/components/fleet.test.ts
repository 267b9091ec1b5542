import * as pulumi from "@pulumi/pulumi";
import { afterEach, expect, test, vi } from "vitest";
import { FleetHost, PrometheusBackupFleet, PrometheusBackupFleetArgs } from "../../components";
import { sharedMachines } from "../../components/fleetSettings";
import { fakeKey } from "../privateKey";
import { Recorded, recordResources } from "../recordResources";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";

function host(name: string, more: Partial<FleetHost> = {}): FleetHost {
  return { name, connection: { address: `${name}.example.org`, hostKey, privateKey: fakeKey() }, ...more };
}

function fleet(hosts: FleetHost[], more: Partial<PrometheusBackupFleetArgs> = {}): () => PrometheusBackupFleet {
  const args = {
    environment: "test",
    defaults: { repositories: [{ bucket: "offsite", region: "eu-central-1" }] },
    offsiteBucket: { bucketName: "backups" },
  };
  return () => new PrometheusBackupFleet("fleet", { ...args, ...more, hosts });
}

afterEach(() => vi.unstubAllEnvs());

function describe(all: Recorded[]): Record<string, unknown> {
  const children = all.filter(
    ({ type }) => !type.endsWith(":PrometheusBackupFleet") && !type.endsWith(":OffsiteBucket"),
  );
  return Object.fromEntries(
    children.map(({ name, type, inputs }) => [name, { type, inputs }] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

test("the order of hosts means nothing", async () => {
  const forward = await recordResources(
    fleet([host("prom-a"), host("prom-b"), host("prom-c")], {
      defaults: { repositories: [{ path: "/b" }], spreadMinutes: 60 },
    }),
  );
  const backward = await recordResources(
    fleet([host("prom-c"), host("prom-b"), host("prom-a")], {
      defaults: { repositories: [{ path: "/b" }], spreadMinutes: 60 },
    }),
  );
  expect(describe(backward.all)).toEqual(describe(forward.all));
});

test("a new host changes nothing for the others", async () => {
  const before = describe((await recordResources(fleet([host("prom-a")]))).all);
  const after = describe((await recordResources(fleet([host("prom-0"), host("prom-a")]))).all);
  expect(after).toMatchObject(before);
});

test("`offsite` is the bucket of the fleet, and hosts wait for it", async () => {
  const { named } = await recordResources(fleet([host("prom-a", { awsRole: "role-a" })]));
  expect(String(named("prom-a-backup-job-install").inputs["stdin"])).toContain(
    "| REPOSITORY_1_LOCATION='offsite:backups'\n",
  );
  expect(named("fleet-offsite-prom-a").inputs["role"]).toBe("role-a");
});

test("where hosts may not prune, they do not try to, unless a repository says otherwise", async () => {
  const offsiteBucket = { bucketName: "backups", hostsMayPrune: false };
  const { named } = await recordResources(
    fleet(
      [
        host("prom-a"),
        host("prom-b", {
          repositories: [
            { bucket: "offsite", region: "eu-central-1", prune: true },
            { path: "/b", prune: false },
          ],
        }),
      ],
      { offsiteBucket },
    ),
  );
  const pruning = (name: string) =>
    String(named(`${name}-backup-job-install`).inputs["stdin"]).match(/REPOSITORY_\d_PRUNE='\w+'/g);
  expect([pruning("prom-a"), pruning("prom-b")]).toEqual([
    ["REPOSITORY_1_PRUNE='false'"],
    ["REPOSITORY_2_PRUNE='false'"],
  ]);
});

test("a host that is born from another one's backup may read it, and what `mayRead` names", async () => {
  const hosts = [
    host("prom-new", { awsRole: "role", mayRead: ["prom-a"], bootstrapFrom: { host: "prom-old" } }),
    host("prom-same", { awsRole: "role", bootstrapFrom: {} }),
  ];
  const { named } = await recordResources(fleet(hosts));
  const policyOf = (name: string) => JSON.stringify(named(`fleet-offsite-${name}`).inputs);
  expect(policyOf("prom-new")).toContain("prom-old/");
  expect(policyOf("prom-new")).toContain("prom-a/");
  expect(policyOf("prom-same")).not.toContain("prom-old");
  expect(String(named("prom-new-bootstrap-install").inputs["stdin"])).toContain("setting HOST prom-old\n");
});

test("settings of a host go before shared ones: groups by setting, lists and retention as a whole", async () => {
  const defaults = { repositories: [{ path: "/shared" }], retention: { days: 10 }, limits: { parallel: 4, nice: 5 } };
  const own = { repositories: [{ path: "/own" }], retention: { keepLast: 2 }, limits: { nice: 0 } };
  const { named } = await recordResources(fleet([host("prom-a", own)], { defaults }));
  const payload = String(named("prom-a-backup-job-install").inputs["stdin"]);
  for (const line of ["REPOSITORY_1_LOCATION='/own'", "KEEP_DAYS=''", "KEEP_LAST='2'", "PARALLEL='4'", "NICE='0'"]) {
    expect(payload).toContain(`| ${line}\n`);
  }
});

test("secrets that hosts share are sealed in the fleet, too", async () => {
  const defaults = { repositories: [{ path: "/b" }], heartbeat: "https://watcher/BEAT-SECRET" };
  const { all } = await recordResources(fleet([host("prom-a")], { defaults }));
  for (const { name, inputs, secretInputs } of all) {
    expect(JSON.stringify(Object.entries(inputs).filter(([key]) => !secretInputs.includes(key))), name).not.toContain(
      "BEAT-SECRET",
    );
  }
});

test("the fleet's bucket lies where the stack works, unless a repository says otherwise", async () => {
  const settings = (region?: string) => ({
    defaults: { repositories: [{ bucket: "offsite", ...(region === undefined ? {} : { region }) }] },
  });
  const written = async (region?: string): Promise<string> => {
    const { named } = await recordResources(fleet([host("prom-a")], settings(region)));
    return / region = (\S+)\n/.exec(String(named("prom-a-backup-job-install").inputs["stdin"]))?.[1] ?? "none";
  };
  vi.stubEnv("AWS_REGION", "eu-west-3");
  expect(await written()).toBe("eu-west-3");
  expect(await written("eu-central-1")).toBe("eu-central-1");
});

test("hosts into which no way is known are named in every preview, once", async () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  vi.stubEnv("SSH_AUTH_SOCK", "");
  const keyless = { connection: { address: "10.0.0.1", hostKey } };
  await recordResources(fleet([host("prom-a", keyless), host("prom-b")]));
  const said = warn.mock.calls.map(([text]) => text);
  warn.mockRestore();
  expect(said).toEqual([
    expect.stringMatching(/^no way into prom-a: `privateKey` is not set, and there is no SSH agent either /),
  ]);
});

test("what is wrong with any host, with what hosts share and with the bucket is said at once, before any resource exists", async () => {
  const defaults = {
    repositories: [{ bucket: "offsite", region: "eu-central-1" }],
    schedule: "never",
    limits: { nice: 20, parallel: 2 },
  };
  const hosts = [
    host("prom-a", {
      alerts: { rulesPath: "/etc/rules.txt" },
      limits: { parallel: 65 },
      awsRole: "arn:aws:iam::1:role/x",
    }),
    host("prom-b", { connection: { address: "10.0.0.2" }, textfile: { directory: "relative" }, mayRead: ["Prom C"] }),
    host("prom-c", { repositories: [] }),
  ];
  let message = "";
  const { all } = await recordResources(() => {
    try {
      fleet(hosts, { defaults, offsiteBucket: { bucketName: "No Bucket", prefix: "/" } })();
    } catch (error) {
      message = (error as Error).message;
    }
  });
  expect(message).toMatch(/^prometheus-backup: \d+ settings of "fleet" need a change\. No resource was touched\./);
  const paths = [...message.matchAll(/^ {2}- (\S+): /gm)].map(([, path]) => path).sort();
  expect(paths).toEqual([
    "defaults.limits.nice",
    "defaults.schedule",
    "hosts[0].alerts.rulesPath",
    "hosts[0].awsRole",
    "hosts[0].limits.parallel",
    "hosts[1].connection.hostKey",
    "hosts[1].mayRead[0]",
    "hosts[1].textfile.directory",
    "hosts[2].repositories",
    "offsiteBucket.bucketName",
    "offsiteBucket.prefix",
  ]);
  expect(all.filter(({ type }) => !type.endsWith(":PrometheusBackupFleet"))).toEqual([]);
});

test("hosts with one name, and `offsite` without a bucket, are refused", () => {
  const twice = fleet([host("prom-a"), host("prom-b"), host("prom-a")], { offsiteBucket: undefined });
  expect(twice).toThrow(
    [
      'prometheus-backup: 2 settings of "fleet" need a change. No resource was touched.',
      '  - hosts[0].name, hosts[2].name: both are "prom-a". Names must differ because resources and bucket prefixes carry them. Rename one host.',
      "  - defaults.repositories[0].bucket: `offsite` means the bucket that this stack creates, and none is described. Describe it, for example `offsiteBucket: { bucketName: NAME }`; bucket names are global, so you choose it.",
    ].join("\n"),
  );
});

test("two hosts that are one machine are refused", () => {
  const same = { connection: { address: "10.0.0.1", hostKey } };
  expect(fleet([host("prom-a", same), host("prom-b", same)])).toThrow(
    "  - hosts[0].connection.address, hosts[1].connection.address: prom-a and prom-b are one machine (`10.0.0.1`, port 22). ",
  );
  // An address that comes from another resource is not known here.
  const elsewhere = { connection: { address: pulumi.output("10.0.0.1"), hostKey } };
  expect(sharedMachines([host("prom-a", elsewhere), host("prom-b", elsewhere)])).toEqual([]);
});
