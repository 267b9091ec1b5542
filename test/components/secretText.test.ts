import { generateKeyPairSync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test, vi } from "vitest";
import { PrometheusBackup } from "../../components";
import { checkedSecret } from "../../components/host/secrets";
import { credentialsFault } from "../../components/backupJob/repository";
import { privateKeyFault, secretCheck } from "../../components/fields/secretText";
import { newKey } from "../hosts/sshKey";

const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const pkcs8 = elliptic.export({ type: "pkcs8", format: "pem" }).toString();
const keys = {
  "of OpenSSH": newKey().privateKey,
  "in PKCS 8": pkcs8,
  "in PKCS 1": rsa.export({ type: "pkcs1", format: "pem" }).toString(),
  "with a passphrase": elliptic
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
    .toString(),
  "behind the parameters of its curve": `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${pkcs8}`,
  "from Windows": pkcs8.replaceAll("\n", "\r\n"),
  "without a last line break, as the CLI stores it": pkcs8.trimEnd(),
};

test.each(Object.entries(keys))("a key %s is one", (_what, text) => {
  expect(privateKeyFault(text)).toBeUndefined();
});

const lost = "has lost its line breaks, as a text does that is pasted at the prompt of `pulumi config set`";
test.each(Object.entries(keys))("a key %s that was pasted at the prompt is none any more", (_what, text) => {
  expect(privateKeyFault(text.trim().replace(/\r?\n/g, " "))).toBe(lost);
  expect(privateKeyFault(text.trim().replace(/\r?\n/g, ""))).toBe(lost);
  expect(privateKeyFault(text.trim().replace(/\r?\n/g, "\\n"))).toBe(lost);
});

test.each([
  ["a public key", `${newKey().publicKey} me@home`, "is a public key"],
  ["a path", "~/.ssh/id_ed25519", "is no private key: it has no line `-----BEGIN … PRIVATE KEY-----`"],
  [
    "a certificate",
    "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
    "is no private key: it has no line `-----BEGIN … PRIVATE KEY-----`",
  ],
  ["half a key", pkcs8.slice(0, 80), "is cut off: it has no line `-----END … PRIVATE KEY-----`"],
])("%s is no private key", (_what, text, words) => {
  expect(privateKeyFault(text)).toBe(words);
});

const s3 = "[default]\naws_access_key_id = a\naws_secret_access_key = b\n";
const google = { type: "service_account", private_key: pkcs8 };
test.each([
  ["S3", { bucket: "b" }, s3, undefined],
  ["S3, with a comment", { bucket: "b" }, `# of the backup\n\n${s3}`, undefined],
  ["S3, pasted", { bucket: "b" }, s3.trim().replaceAll("\n", " "), lost],
  ["S3, the key alone", { bucket: "b" }, "b", "is no credentials file of AWS: it has no line such as `[default]`"],
  ["Google", { gcs: "b" }, JSON.stringify(google, null, 2), undefined],
  [
    "Google, pasted, which does no harm",
    { gcs: "b" },
    JSON.stringify(google, null, 2).replaceAll("\n", " "),
    undefined,
  ],
  ["Google, a path", { gcs: "b" }, "/root/key.json", "is no JSON text, as the key of a service account is"],
  ["SFTP", { sftp: { address: "a", user: "u", path: "p", hostKey: "k" } }, pkcs8, undefined],
  ["SFTP, pasted", { sftp: { address: "a", user: "u", path: "p", hostKey: "k" } }, pkcs8.replaceAll("\n", " "), lost],
])("credentials for %s", (_what, repository, text, words) => {
  expect(credentialsFault(repository)?.(text)).toBe(words);
});

describe("in code", () => {
  const hostKey = newKey().publicKey;
  const pasted = pkcs8.trim().replaceAll("\n", " ");

  test("a secret that comes from elsewhere is checked once it is known, and stays secret", async () => {
    const error = vi.spyOn(pulumi.log, "error").mockResolvedValue();
    const known = (text: string): Promise<unknown> => {
      const checked = checkedSecret(pulumi.output(text), "connection.privateKey", privateKeyFault);
      return new Promise(resolve => checked.apply(resolve));
    };
    expect(await known(pkcs8)).toBe(pkcs8);
    expect(await pulumi.isSecret(checkedSecret("plain", "heartbeat", undefined))).toBe(true);
    expect(error.mock.calls).toEqual([]);
    await known(pasted);
    const said = error.mock.calls.map(([words]) => words);
    error.mockRestore();
    expect(said).toEqual([`prometheus-backup: connection.privateKey ${lost}. Give the whole text of its file.`]);
  });

  test.each([
    ["connection.privateKey", { connection: { address: "a", hostKey, privateKey: pasted } }],
    [
      "connection.bastion.privateKey",
      { connection: { address: "a", hostKey, bastion: { address: "b", hostKey, privateKey: pasted } } },
    ],
  ])("%s as a plain text is refused at once, and not shown", (path, more) => {
    const make = () =>
      new PrometheusBackup("prom-a", {
        hostName: "prom-a",
        repositories: [{ path: "/b" }],
        textfile: { enabled: false },
        ...more,
      });
    expect(make).toThrow(`  - ${path}: ${lost}. Give the whole text of its file.`);
    expect(make).not.toThrow(pasted.slice(40, 60));
  });

  test("no complaint holds a letter of the secret", () => {
    const said = [privateKeyFault, credentialsFault({ bucket: "b" }), credentialsFault({ gcs: "b" })].map(fault =>
      secretCheck(fault)("hunter2"),
    );
    expect(said.every(words => words !== undefined && !words.includes("hunter2"))).toBe(true);
  });
});
