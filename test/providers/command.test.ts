import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newKey } from "../hosts/sshKey";
import { commandProvider } from "./command/provider";
import { DIAL_LOG_VARIABLE } from "./command/ssh";
import { startSshServer, type SshServer } from "./sshServer";
import { isSecret, unwrap, wrapSecret, type Properties } from "./values";

// The stand-in must fail and succeed in the official plugin's words, or tests built on it prove nothing.
const URN = "urn:pulumi:test::project::command:remote:Command::prom-1-backup-job";
let server: SshServer;

beforeAll(async () => {
  server = await startSshServer();
});
afterAll(() => server.close());

function inputs(more: Properties = {}, connection: Properties = {}): Properties {
  return {
    connection: wrapSecret({
      ...{ host: "127.0.0.1", port: server.port, user: "deploy", dialErrorLimit: 0 },
      ...{ privateKey: server.client.privateKey, hostKey: server.hostKey },
      ...connection,
    }),
    create: "cat",
    addPreviousOutputInEnv: false,
    logging: "none",
    ...more,
  };
}

async function create(given: Properties): Promise<Properties> {
  return (await commandProvider.create?.(URN, given))?.outs as Properties;
}

describe("running a command", () => {
  test("hands stdin over and keeps the output without one trailing newline", async () => {
    const outs = await create(inputs({ create: "cat; echo; echo warned >&2", stdin: "one\ntwo\n" }));
    expect([outs.stdout, outs.stderr]).toEqual(["one\ntwo\n", "warned"]);
  });

  test("fails with status, command and all output, whatever logging says", async () => {
    await expect(create(inputs({ create: 'echo "to out"; echo "to err" >&2; exit 7' }))).rejects.toThrow(
      /^Process exited with status 7: running "echo \\"to out\\"; echo \\"to err\\" >&2; exit 7":\n(to out\nto err|to err\nto out)\n$/,
    );
  });

  test("update runs `update`, or `create` where there is none", async () => {
    const both = await commandProvider.update?.(
      "id",
      URN,
      {},
      inputs({ create: "echo created", update: "echo updated" }),
    );
    const one = await commandProvider.update?.("id", URN, {}, inputs({ create: "echo created" }));
    expect([(both?.outs as Properties).stdout, (one?.outs as Properties).stdout]).toEqual(["updated", "created"]);
  });

  test("delete runs the stored text with the stored stdin, and nothing where there is no text", async () => {
    const directory = mkdtempSync(path.join(tmpdir(), "stand-in-"));
    await commandProvider.delete?.("id", URN, inputs({ delete: `cat >${directory}/seen`, stdin: "payload" }));
    const before = server.connections();
    await commandProvider.delete?.("id", URN, inputs());
    expect([readFileSync(`${directory}/seen`, "utf8"), server.connections() - before]).toEqual(["payload", 0]);
    rmSync(directory, { recursive: true });
  });

  test("a secret command makes its output secret; a secret stdin does not", async () => {
    const secretCommand = await create(inputs({ create: wrapSecret("echo geheim") }));
    const secretInput = await create(inputs({ stdin: wrapSecret("geheim") }));
    expect([isSecret(secretCommand.stdout), unwrap(secretCommand.stdout)]).toEqual([true, "geheim"]);
    expect([secretInput.stdout, isSecret(secretInput.stdin)]).toEqual(["geheim", true]);
  });
});

describe("connecting", () => {
  test("refuses another host key", async () => {
    const other = newKey().publicKey.split(" ").slice(0, 2).join(" ");
    await expect(create(inputs({}, { hostKey: other }))).rejects.toThrow(
      "after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch",
    );
  });

  test("refuses another client key", async () => {
    await expect(create(inputs({}, { privateKey: newKey().privateKey }))).rejects.toThrow(
      "after 0 failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain",
    );
  });

  test("gives up after the limit and logs each dial", async () => {
    const port = await closedPort();
    const log = path.join(mkdtempSync(path.join(tmpdir(), "stand-in-")), "dials");
    process.env[DIAL_LOG_VARIABLE] = log;
    try {
      await expect(create(inputs({}, { port, dialErrorLimit: 2 }))).rejects.toThrow(
        `after 2 failed attempts: dial tcp 127.0.0.1:${port}: connect: connection refused`,
      );
    } finally {
      delete process.env[DIAL_LOG_VARIABLE];
    }
    expect(readFileSync(log, "utf8")).toBe(`127.0.0.1:${port}\n`.repeat(3));
  });
});

describe("check and diff", () => {
  test("unknown inputs and fields are named, and no value is repeated", async () => {
    const result = await commandProvider.check?.(URN, {}, { ...inputs({ interpreter: ["sh"] }, { key: "SECRET" }) });
    expect(result?.failures).toEqual([
      { property: "interpreter", reason: "is no input of command:remote:Command" },
      { property: "connection.key", reason: "is no field of a connection" },
    ]);
  });

  test("another resource type is an error", async () => {
    await expect(commandProvider.check?.(URN.replace("remote:Command", "local:Command"), {}, {})).rejects.toThrow(
      "the stand-in for the command plugin does not know command:local:Command; it has command:remote:Command and command:remote:CopyToRemote",
    );
  });

  test.each<[string, Properties, { changes: boolean; replaces: string[] }]>([
    ["nothing", {}, { changes: false, replaces: [] }],
    ["stdin", { stdin: "new" }, { changes: true, replaces: [] }],
    ["delete", { delete: "new" }, { changes: true, replaces: [] }],
    ["triggers", { triggers: ["new"] }, { changes: true, replaces: ["triggers"] }],
    ["a lost secret mark", { connection: "plain" }, { changes: true, replaces: [] }],
  ])("a change of %s", async (_what, change, expected) => {
    const olds: Properties = { ...inputs({ stdin: "old", triggers: ["old"] }), stdout: "x" };
    const news = {
      ...inputs({ stdin: "old", triggers: ["old"] }),
      ...("connection" in change ? { connection: unwrap(olds.connection) } : change),
    };
    expect(await commandProvider.diff?.("id", URN, olds, news)).toEqual({ ...expected, deleteBeforeReplace: false });
  });
});

async function closedPort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>(resolve => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise(resolve => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 1;
}
