// Whether a way into the hosts is known before they are dialled, with real agents of the machine that runs the tests.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { noWayIn } from "../../components/host/wayIn";
import { newKey } from "../hosts/sshKey";
import { waitUntil } from "../tools/process";

const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-agent-"));
const socket = path.join(directory, "agent");
let agent: ChildProcess;

beforeAll(async () => {
  agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  const answers = () =>
    Promise.resolve(noWayIn([{ name: "a", connection: { address: "a" } }])?.includes("holds no key") === true);
  vi.stubEnv("SSH_AUTH_SOCK", socket);
  await waitUntil("the agent answers", 30, answers);
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => {
  agent.kill();
  rmSync(directory, { recursive: true });
});

const hosts = (count: number, more: { retired?: boolean; privateKey?: string } = {}) =>
  Array.from({ length: count }, (_, index) => ({
    name: `prom-${index}`,
    connection: { address: "10.0.0.1", ...(more.privateKey === undefined ? {} : { privateKey: more.privateKey }) },
    ...(more.retired === undefined ? {} : { retired: more.retired }),
  }));
const words = (names: string, fault: string) =>
  `no way into ${names}: \`privateKey\` is not set, and ${fault}. Every step that has to run there will fail. ` +
  "Name the secret with the key in `privateKey`, or start an agent and add the key: ssh-add";

test("neither key nor agent", () => {
  vi.stubEnv("SSH_AUTH_SOCK", "");
  const fault = "there is no SSH agent either (SSH_AUTH_SOCK is not set)";
  expect(noWayIn(hosts(2))).toBe(words("prom-0, prom-1", fault));
  expect(noWayIn(hosts(50))).toBe(words("prom-0, prom-1, prom-2 and 47 more", fault));
  expect(noWayIn(hosts(2, { privateKey: "key" }))).toBeUndefined();
  expect(noWayIn(hosts(2, { retired: true }))).toBeUndefined();
  expect(noWayIn([])).toBeUndefined();
});

test("an agent that has gone, one that does not answer, and one without keys", () => {
  const gone = path.join(directory, "gone");
  vi.stubEnv("SSH_AUTH_SOCK", gone);
  expect(noWayIn(hosts(1))).toBe(words("prom-0", `there is no SSH agent at ${gone} (SSH_AUTH_SOCK)`));
  writeFileSync(gone, "");
  expect(noWayIn(hosts(1))).toBe(words("prom-0", `the SSH agent at ${gone} (SSH_AUTH_SOCK) does not answer`));
  vi.stubEnv("SSH_AUTH_SOCK", socket);
  expect(noWayIn(hosts(1))).toBe(words("prom-0", `the SSH agent at ${socket} holds no key (see: ssh-add -l)`));
});

test("an agent with a key is a way in", () => {
  vi.stubEnv("SSH_AUTH_SOCK", socket);
  const file = path.join(directory, "key");
  writeFileSync(file, newKey().privateKey, { mode: 0o600 });
  execFileSync("ssh-add", ["-q", file], { stdio: "ignore" });
  expect(noWayIn(hosts(1))).toBeUndefined();
});
