// Test hosts by hand: npx tsx test/hosts/cli.ts start NAME | exec NAME -- COMMAND | ssh NAME | list | stop NAME |
// stop-all
import { addUser, ensureDocker, releaseUser } from "./docker";
import { attachHost, quote, startHost, type ExecOptions, type Host } from "./host";
import { checkoutLabels } from "./leftovers";
import type { Layout } from "./image";
import { parseArgs } from "node:util";
import { cacheDirectory } from "../tools/cache";
import { processTag } from "../tools/process";
import path from "node:path";

const USAGE = `Usage: npx tsx test/hosts/cli.ts COMMAND
  start NAME [--layout debian|course] [--suite bookworm] [--listen 127.0.0.1:9090]   boots a host that stays until stopped
  exec NAME [--user root] [--input] -- COMMAND...    runs a command inside; --input hands it this command's standard input
  show NAME                                address, port, host key and key file, as JSON
  list                                     hosts of this checkout
  stop NAME, stop-all                      removes one host, or all; the last one stops our Docker daemon
`;

async function main(): Promise<number> {
  const [command = "help", ...rest] = process.argv.slice(2);
  const split = rest.indexOf("--");
  const words = split === -1 ? [] : rest.slice(split + 1);
  const { values, positionals } = parseArgs({
    args: split === -1 ? rest : rest.slice(0, split),
    allowPositionals: true,
    options: {
      layout: { type: "string" },
      suite: { type: "string" },
      listen: { type: "string" },
      user: { type: "string" },
      input: { type: "boolean" },
    },
  });
  const name = positionals[0] ?? "";
  switch (command) {
    case "start":
      return start(name, values);
    case "exec":
      return execute(name, words, {
        user: values.user ?? "root",
        input: values.input === true ? await readInput() : "",
      });
    case "show":
      return show(await attachHost(name));
    case "list":
      return list();
    case "stop":
      return stop([name]);
    case "stop-all":
      return stop(await hostNames());
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}

async function start(name: string, values: { layout?: string; suite?: string; listen?: string }): Promise<number> {
  const { layout = "debian", suite, listen } = values;
  if (layout !== "debian" && layout !== "course") {
    process.stderr.write(`--layout ${layout}: use debian or course.\n`);
    return 2;
  }
  const chosen: Layout = layout;
  await ensureDocker();
  addUser(`host-${name}`);
  return show(await startHost({ name, layout: chosen, suite, listen, keep: true }));
}

async function execute(name: string, words: string[], options: ExecOptions): Promise<number> {
  const host = await attachHost(name);
  const command = words.length === 1 && words[0] !== undefined ? words[0] : words.map(quote).join(" ");
  const finished = await host.exec(command, options);
  process.stdout.write(finished.stdout);
  process.stderr.write(finished.stderr);
  return finished.code;
}

async function readInput(): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) {
    pieces.push(Buffer.from(piece as Buffer));
  }
  return Buffer.concat(pieces);
}

function show(host: Host): number {
  const { name, container, layout, sshHost, sshPort, hostKey, user, ip } = host;
  const keyFile = path.join(cacheDirectory("ssh"), "id_ed25519");
  process.stdout.write(
    `${JSON.stringify({ name, container, layout, sshHost, sshPort, user, keyFile, hostKey, ip }, null, 2)}\n`,
  );
  return 0;
}

async function hostNames(): Promise<string[]> {
  const docker = await ensureDocker();
  const { prefix } = checkoutLabels();
  const shown = await docker.output(["ps", "--all", "--filter", `name=^${prefix}-`, "--format", "{{.Names}}"]);
  return shown
    .split("\n")
    .filter(name => name !== "")
    .map(name => name.slice(prefix.length + 1));
}

async function list(): Promise<number> {
  process.stdout.write((await hostNames()).map(name => `${name}\n`).join(""));
  return 0;
}

async function stop(names: string[]): Promise<number> {
  for (const name of names) {
    await (await attachHost(name)).stop();
    await releaseUser(`host-${name}`);
  }
  return 0;
}

main()
  .then(async code => {
    await releaseUser(processTag());
    process.exitCode = code;
  })
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
