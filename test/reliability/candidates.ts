// The two that are compared: the course's script and recipes, and the host command of this project.
import { readFileSync } from "node:fs";
import path from "node:path";
import { installProgram, writeSettings } from "../hostCommand/install";
import { lines } from "../hostCommand/server";
import type { Stage } from "./stage";

export interface Ran {
  /** 124: it had to be ended. */
  code: number;
  seconds: number;
  output: string;
}

export interface BackupOptions {
  /** Shell text in front of the command, such as `TZ=Asia/Tokyo`. */
  environment?: string;
  /** After so many seconds it is ended. Defaults to 300. */
  seconds?: number;
}

/** What is stored and looks like a backup, oldest first. */
export interface Stored {
  name: string;
  /** It can be unpacked to its end. */
  whole: boolean;
}

export interface Candidate {
  kind: "course" | "project";
  /** The command that takes a backup. */
  command: string;
  backup(options?: BackupOptions): Promise<Ran>;
  stored(): Promise<Stored[]>;
  /** Brings a backup back, the newest unless named. */
  restore(name?: string): Promise<Ran>;
  /** The command that `restore` runs. */
  restoreCommand(name?: string): Promise<string>;
  /** Checks the newest backup where it lies; undefined if there is no such thing. */
  verify(): Promise<Ran | undefined>;
  /** Proves by a trial that the newest backup can be restored; undefined if there is no such thing. */
  drill(): Promise<Ran | undefined>;
  /** Brings one block back. */
  heal(ulid: string): Promise<Ran>;
  /** Brings back what the running server lacks. */
  merge(): Promise<Ran>;
  /** What an alert can see, without the prefix `prometheus_backup_`. */
  metrics(): Promise<Map<string, number>>;
  /** Settings by the meaning they share. */
  configure(settings: Settings): Promise<void>;
}

export interface Settings {
  url?: string;
  /** User and password of the server. */
  login?: { user: string; password: string };
  directory?: string;
}

const TEXTFILES = "/var/lib/node_exporter/textfile_collector";

async function timed(stage: Stage, command: string, seconds: number): Promise<Ran> {
  const start = Date.now();
  const { code, stdout, stderr } = await stage.host.exec(`timeout --kill-after 5 ${seconds} ${command}`, {
    timeoutSeconds: seconds + 60,
  });
  return { code: code === 137 ? 124 : code, seconds: (Date.now() - start) / 1000, output: stdout + stderr };
}

async function readMetrics(stage: Stage): Promise<Map<string, number>> {
  const { stdout } = await stage.host.exec(`cat ${TEXTFILES}/prometheus_backup.prom`);
  const samples = lines(stdout).filter(line => !line.startsWith("#"));
  return new Map(
    samples.map(line => [line.replace(/[ {].*/, "").replace("prometheus_backup_", ""), Number(line.split(" ").at(-1))]),
  );
}

/** The course's script; its three paths follow the stage, as a reader of the course would change them. */
export async function courseCandidate(stage: Stage): Promise<Candidate> {
  await installProgram(stage.host);
  const install = async (file: string, target: string, changes: [string, string][] = []): Promise<void> => {
    const text = changes.reduce(
      (all, [from, to]) => all.replaceAll(from, to),
      readFileSync(path.join(__dirname, "course", file), "utf8"),
    );
    await stage.host.writeFile(target, text.replaceAll("/var/lib/prometheus", stage.dataDirectory), { mode: "0755" });
  };
  await stage.run(`mkdir -p ${TEXTFILES}`);
  let directory = "/backup/prometheus";
  const command = "/usr/local/sbin/course-backup.sh";
  const configure = async ({
    url = "http://localhost:9090",
    login,
    directory: wanted = "/backup/prometheus",
  }: Settings): Promise<void> => {
    directory = wanted;
    const address = login === undefined ? url : url.replace("://", `://${login.user}:${login.password}@`);
    await install("prometheus-backup.sh", command, [
      ["http://localhost:9090", address],
      ["/backup/prometheus", wanted],
    ]);
  };
  await configure({});
  await install("restore.sh", "/usr/local/sbin/course-restore.sh");
  await install("restore-block.sh", "/usr/local/sbin/course-restore-block.sh");
  const stored = async (): Promise<Stored[]> => {
    const files = lines(
      await stage.run(`find "${directory.replaceAll(/["$`\\]/g, "\\$&")}" -name 'prometheus-backup-*.tar.gz' | sort`),
    );
    return Promise.all(
      files.map(async name => ({
        name,
        whole: (await stage.host.exec(`tar -tzf "${name.replaceAll(/["$`\\]/g, "\\$&")}"`)).code === 0,
      })),
    );
  };
  const newest = async () => (await stored()).at(-1)?.name ?? "/no/backup";
  // As they stand, the recipes unpack one level too deep and restore nothing at all. The faults are tried on mended
  // ones.
  const restoreCommand = async (name?: string) =>
    `/usr/local/sbin/course-restore.sh ${name ?? (await newest())} --strip-components=1`;
  const heal = async (ulid: string) =>
    timed(stage, `/usr/local/sbin/course-restore-block.sh ${await newest()} '*/${ulid}*' --strip-components=1`, 300);
  return {
    kind: "course",
    command,
    backup: ({ environment = "", seconds = 300 } = {}) => timed(stage, `env ${environment} ${command}`, seconds),
    stored,
    restore: async name => timed(stage, await restoreCommand(name), 300),
    restoreCommand,
    verify: () => Promise.resolve(undefined),
    drill: () => Promise.resolve(undefined),
    heal,
    merge: () => heal("01"),
    metrics: () => readMetrics(stage),
    configure,
  };
}

/** This project's command, with a repository on the same disk as the course's archives. */
export async function projectCandidate(stage: Stage): Promise<Candidate> {
  await installProgram(stage.host);
  await stage.run(`install -d -o prometheus -g prometheus -m 0755 ${TEXTFILES}`);
  const program = "/usr/local/bin/prometheus-backup.sh";
  const configure = async ({
    url = "http://127.0.0.1:9090",
    login,
    directory = "/backup/prometheus",
  }: Settings): Promise<void> => {
    const secret = "/etc/prometheus-backup/credentials/api";
    if (login !== undefined) {
      await stage.host.writeFile(secret, `user = "${login.user}:${login.password}"\n`, {
        mode: "0600",
        owner: "prometheus:prometheus",
      });
    }
    await writeSettings(stage.host, "/etc/prometheus-backup/prometheus-backup.conf", {
      HOST_NAME: "stage",
      ENVIRONMENT: "reliability",
      PROMETHEUS_URL: url,
      API_CURL_CONFIG: login === undefined ? "" : secret,
      TEXTFILE_DIR: TEXTFILES,
      KEEP_DAYS: "30",
      KEEP_MINIMUM: "1",
      REPOSITORY_COUNT: "1",
      REPOSITORY_1_NAME: "local",
      REPOSITORY_1_TYPE: "path",
      REPOSITORY_1_LOCATION: directory,
    });
  };
  await configure({});
  const restoreCommand = (name = "latest") => Promise.resolve(`${program} restore ${name} --yes`);
  return {
    kind: "project",
    command: program,
    // As its cron entry does: by the server's user.
    backup: ({ environment = "", seconds = 300 } = {}) =>
      timed(stage, `runuser -u prometheus -- env ${environment} ${program}`, seconds),
    stored: async () => {
      const listed = JSON.parse(await stage.run(`${program} list --json`)) as { name: string; complete: boolean }[];
      const names = listed
        .filter(({ complete }) => complete)
        .map(({ name }) => name)
        .sort();
      return Promise.all(
        names.map(async name => ({ name, whole: (await stage.host.exec(`${program} verify ${name}`)).code === 0 })),
      );
    },
    restore: async name => timed(stage, await restoreCommand(name), 300),
    restoreCommand,
    verify: () => timed(stage, `${program} verify latest`, 300),
    drill: () => timed(stage, `${program} drill latest`, 300),
    heal: () => timed(stage, `${program} heal --yes`, 300),
    merge: () => timed(stage, `${program} restore latest --merge --yes`, 300),
    metrics: () => readMetrics(stage),
    configure,
  };
}
