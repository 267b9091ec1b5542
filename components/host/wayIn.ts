import { spawnSync } from "child_process";
import * as fs from "fs";
import { SshConnection } from "./connection";

/** What is the matter with the SSH agent of this program's environment, or nothing if it has keys. */
function agentFault(): string | undefined {
  const socket = process.env.SSH_AUTH_SOCK ?? "";
  if (socket === "") {
    return "there is no SSH agent either (SSH_AUTH_SOCK is not set)";
  }
  if (!fs.existsSync(socket)) {
    return `there is no SSH agent at ${socket} (SSH_AUTH_SOCK)`;
  }
  // 1: no keys, 2: no answer. Where this program is missing, nobody knows.
  const { status, error } = spawnSync("ssh-add", ["-l"], { timeout: 5000, stdio: "ignore" });
  if (status === 1) {
    return `the SSH agent at ${socket} holds no key (see: ssh-add -l)`;
  }
  const silent = status === 2 || (error !== undefined && "code" in error && error.code === "ETIMEDOUT");
  return silent ? `the SSH agent at ${socket} (SSH_AUTH_SOCK) does not answer` : undefined;
}

/**
 * A warning if hosts are to be reached without a key and there is no agent that has one; nothing otherwise.
 *
 * No error: a preview contacts nobody, nor does an `up` that changes no host, and both are run where no key is at hand.
 */
export function noWayIn(hosts: { name: string; connection: SshConnection; retired?: boolean }[]): string | undefined {
  const needy = hosts.filter(({ connection, retired }) => connection.privateKey === undefined && retired !== true);
  const fault = needy.length === 0 ? undefined : agentFault();
  if (fault === undefined) {
    return undefined;
  }
  const names = needy
    .slice(0, 3)
    .map(({ name }) => name)
    .join(", ");
  const all = needy.length > 3 ? `${names} and ${needy.length - 3} more` : names;
  return (
    `no way into ${all}: \`privateKey\` is not set, and ${fault}. Every step that has to run there will fail. ` +
    "Name the secret with the key in `privateKey`, or start an agent and add the key: ssh-add"
  );
}
