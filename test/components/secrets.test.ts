import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { PrometheusBackup, PrometheusBackupArgs, PrometheusBackupFleet } from "../../components";
import { backupForm } from "../../components/backupSettings";
import { bare, factsOf, group, list, required, secret, text } from "../../components/fields/group";
import { changeSecrets } from "../../components/fields/secrets";
import { connectionForm } from "../../components/host/connection";
import { sealed } from "../../components/host/secrets";
import { settingPaths } from "../../components/stack/schema";
import { fakeKey } from "../privateKey";
import { recordResources } from "../recordResources";

type Form = ReturnType<typeof group>;

/** A value of this form with a text in each leaf, the secret ones by themselves. */
function filled(form: unknown, path = ""): unknown {
  const field = form as Form;
  const inner = bare(field) as { shape?: Record<string, unknown>; element?: unknown };
  if (factsOf(field).secret === true) {
    return `SECRET ${path}`;
  }
  if (inner.element !== undefined) {
    return [filled(inner.element, `${path}[]`)];
  }
  if (inner.shape !== undefined) {
    const shape = Object.entries(inner.shape);
    return Object.fromEntries(shape.map(([key, field]) => [key, filled(field, path === "" ? key : `${path}.${key}`)]));
  }
  return "open";
}

/** The secrets that a walk of our own finds in the tables. */
function secretsOf(value: unknown): string[] {
  if (typeof value === "string") {
    return value.startsWith("SECRET ") ? [value.slice("SECRET ".length)] : [];
  }
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(secretsOf) : [];
}

const everything = group({ connection: connectionForm, ...backupForm.shape });

test("these settings are secrets, and a table is all that says so", () => {
  expect(secretsOf(filled(everything)).sort()).toEqual([
    "connection.bastion.privateKey",
    "connection.privateKey",
    "connection.privateKeyPassword",
    "heartbeat",
    "prometheus.apiCredentials",
    "remoteWrite[].basicAuth.password",
    "remoteWrite[].bearerToken",
    "remoteWrite[].tls.key",
    "repositories[].credentials",
    "textfile.exporterCredentials",
  ]);
});

test("every setting whose name speaks of a secret is one", () => {
  const named = settingPaths(everything).filter(path =>
    /(privateKey|privateKeyPassword|password|token|[cC]redentials|tls\.key)$/i.test(path),
  );
  expect(secretsOf(filled(everything))).toEqual(expect.arrayContaining(named));
});

test("a secret that is added to a table is sealed wherever its group stands, and nothing else is", () => {
  const added = group({
    name: required(text()),
    pin: secret(),
    inner: list(group({ pin: required(secret()), label: text() })),
  });
  const args = { group: { name: "n", pin: "1", inner: [{ pin: "2", label: "l" }] }, hostName: "prom-a" };
  const known = sealed(args, { group: added });
  expect(pulumi.Output.isInstance(known.group.pin)).toBe(true);
  expect(pulumi.Output.isInstance(known.group.inner[0]?.pin)).toBe(true);
  expect(changeSecrets(group({ group: added }), args, () => "sealed")).toEqual({
    group: { name: "n", pin: "sealed", inner: [{ pin: "sealed", label: "l" }] },
    hostName: "prom-a",
  });
});

test("no resource of a host or a fleet shows a secret of a table", async () => {
  const own = {
    prometheus: { apiCredentials: "SECRET-1" },
    heartbeat: "https://watcher.example.org/SECRET-2",
    repositories: [{ bucket: "backups", region: "eu-central-1", credentials: "[default]\nSECRET-3" }],
    textfile: { exporterCredentials: "SECRET-4" },
    remoteWrite: [
      { name: "one", url: "http://one:1", bearerToken: "SECRET-5" },
      { name: "two", url: "http://two:1", basicAuth: { username: "u", password: "SECRET-6" } },
    ],
  };
  const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";
  const bastion = { address: "10.0.0.1", hostKey, privateKey: fakeKey("SECRET-7") };
  const connection = {
    address: "10.0.0.2",
    hostKey,
    privateKey: fakeKey("SECRET-8"),
    privateKeyPassword: "SECRET-9",
    bastion,
  };
  const host: PrometheusBackupArgs = { hostName: "prom-a", connection, ...own };
  const recordings = [
    await recordResources(() => new PrometheusBackup("prom-a", host)),
    await recordResources(
      () => new PrometheusBackupFleet("fleet", { defaults: own, hosts: [{ name: "prom-a", connection, ...own }] }),
    ),
  ];
  for (const { name, inputs, secretInputs } of recordings.flatMap(({ all }) => all)) {
    const open = Object.entries(inputs).filter(([key]) => !secretInputs.includes(key));
    expect(JSON.stringify(open), name).not.toMatch(/SECRET-\d/);
  }
});
