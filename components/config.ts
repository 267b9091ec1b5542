import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { secretNameCheck } from "./checks";
import { HostConfig, hostSchema, OffsiteBucketConfig, offsiteBucketSchema, shapeProblems, SharedConfig, sharedSchema, TargetConfig, withoutWrongForms } from "./configSchema";
import { SshConnection } from "./connection";
import { configError, Problem } from "./errors";
import { inFileOrder } from "./fileOrder";
import { FleetHost, PrometheusBackupFleetArgs } from "./prometheusBackupFleet";
import { mergeSettings } from "./resolve";
import { RemoteWriteTarget } from "./remoteWriteSettings";
import { BackupSettings, HostArgs, Repository } from "./settings";
import {
  bootstrapProblems, bucketProblems, duplicateNames, environmentCheck, hostProblems, missingHostKey, missingRepositories, offsiteProblems, scheduleProblems,
  settingsProblems, uselessProxy,
} from "./validate";

/** A stack's configuration as it stands in its file, without the namespace. */
export interface StackConfig {
  environment?: unknown;
  defaults?: unknown;
  hosts?: unknown;
  offsiteBucket?: unknown;
}

/** Gives the secret of a name, or nothing if the stack has none of that name. */
export type SecretLookup = (name: string) => pulumi.Input<string> | undefined;

const namespace = "prometheus-backup";

/** Reads and checks the configuration of the current stack. Throws `RunError` with every problem at once. */
export function loadConfig(config = new pulumi.Config(namespace)): PrometheusBackupFleetArgs {
  const unreadable: Problem[] = [];
  const structure = (key: string): unknown => {
    try {
      return config.getObject(key);
    } catch {
      unreadable.push({ path: key, text: "cannot be read as a structure. Write it as YAML in the file of the stack." });
      return undefined;
    }
  };
  const plain = {
    environment: config.get("environment") || pulumi.getStack(),
    defaults: structure("defaults"),
    hosts: structure("hosts"),
    offsiteBucket: structure("offsiteBucket"),
  };
  if (unreadable.length > 0) {
    throw configError(unreadable);
  }
  return parseConfig(plain, name => config.getSecret(name));
}

/** Checks a configuration and fills in what secrets stand for. Throws `RunError` with every problem at once. */
export function parseConfig(plain: StackConfig, secret: SecretLookup): PrometheusBackupFleetArgs {
  const reader = new Reader(plain, secret);
  const args = reader.read();
  const problems = inFileOrder(reader.problems, plain);
  if (problems.length > 0) {
    throw configError(problems);
  }
  return args;
}

/** Paths as the user typed them. */
function joined(root: string, path: PropertyKey[]): string {
  return path.reduce<string>((text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`), root);
}

/** In the configuration a connection's settings stand beside the others; where one differs, this names it. */
const connectionNames: Record<string, string> = {
  "connection.attempts": "connectAttempts",
  "connection.attemptTimeoutSeconds": "connectTimeoutSeconds",
};

function configPath(root: string, path: string): string {
  const name = path === "hostName" ? "name" : (connectionNames[path] ?? path.replace(/^connection\./, ""));
  return `${root}.${name}`;
}

class Reader {
  public readonly problems: Problem[] = [];
  /** Where something of a wrong form was left out, so that nobody can say what is missing. */
  private readonly incomplete = new Set<string>();

  constructor(
    private readonly plain: StackConfig,
    private readonly secret: SecretLookup,
  ) {}

  read(): PrometheusBackupFleetArgs {
    const environment = this.environment();
    const shared = this.shape(sharedSchema, this.plain.defaults ?? {}, "defaults");
    const defaults = shared === undefined ? undefined : this.settings(shared, "defaults");
    if (shared !== undefined && defaults !== undefined) {
      this.values(shared, defaults, "defaults");
    }
    const configs = this.hostConfigs();
    const hosts = configs.flatMap((config, index) => this.host(config, shared, defaults, `hosts[${index}]`));
    const offsiteBucket = this.offsiteBucket();
    const described = this.plain.offsiteBucket !== undefined ? { bucketName: "" } : undefined;
    const settings = configs.map((config): BackupSettings => ({ repositories: config?.repositories }));
    this.problems.push(...offsiteProblems({ defaults, hosts: settings, offsiteBucket: described }));
    return { environment, hosts, ...(offsiteBucket === undefined ? {} : { offsiteBucket }) };
  }

  /** A problem of what hosts share is said once, not for every host. */
  private add(path: string, text: string | undefined): void {
    if (text !== undefined && !this.problems.some(problem => problem.path === path && problem.text === text)) {
      this.problems.push({ path, text });
    }
  }

  private addAll(root: string, problems: Problem[]): void {
    for (const { path, text } of problems) {
      this.add(path.split(", ").map(part => configPath(root, part)).join(", "), text);
    }
  }

  private environment(): string {
    const { environment } = this.plain;
    if (typeof environment !== "string") {
      this.add("environment", environment === undefined ? "is missing. Add it." : "must be a text. Put it in quotes.");
      return "";
    }
    this.add("environment", environmentCheck(environment));
    return environment;
  }

  /** What of `input` has the right form; the rest is reported. Nothing if that is not enough to go on. */
  private shape<T extends z.ZodType>(schema: T, input: unknown, root: string): z.output<T> | undefined {
    const result = schema.safeParse(input);
    if (result.success) {
      return result.data;
    }
    this.incomplete.add(root);
    for (const { path, text } of shapeProblems(result.error, input)) {
      this.add(joined(root, path), text);
    }
    return rest(schema, result.error, input);
  }

  private hostConfigs(): (HostConfig | undefined)[] {
    const { hosts } = this.plain;
    if (!Array.isArray(hosts)) {
      this.add("hosts", hosts === undefined ? "is missing. List the hosts, or write `[]` while there are none." : "must be a list. Correct it.");
      return [];
    }
    const list: unknown[] = hosts;
    const configs = list.map((host, index) => this.shape(hostSchema, host, `hosts[${index}]`));
    const nameOf = (host: unknown): unknown => (typeof host === "object" && host !== null && "name" in host ? host.name : undefined);
    // A host whose other settings are wrong still takes its name; a missing name is no duplicate of another.
    this.problems.push(...duplicateNames(list.map((host, index) => ({ name: typeof nameOf(host) === "string" ? String(nameOf(host)) : `#${index}` }))));
    return configs;
  }

  /** The secret that a setting names, or nothing. */
  private secretOf(name: string | undefined, path: string): pulumi.Input<string> | undefined {
    if (name === undefined) {
      return undefined;
    }
    const complaint = secretNameCheck(name);
    if (complaint !== undefined) {
      this.add(path, complaint);
      return undefined;
    }
    const value = this.secret(name);
    if (value === undefined) {
      this.add(path, `names the secret \`${name}\`, which this stack does not have. Run \`pulumi config set --secret ${name}\` and paste it.`);
    }
    return value;
  }

  private settings(config: SharedConfig, root: string): BackupSettings {
    const { repositories, prometheus, remoteWrite } = config;
    const settings: BackupSettings = {
      ...backupSettings(config),
      ...optional("heartbeat", this.secretOf(config.heartbeat, `${root}.heartbeat`)),
    };
    if (prometheus !== undefined) {
      settings.prometheus = { ...prometheus, ...optional("apiCredentials", this.secretOf(prometheus.apiCredentials, `${root}.prometheus.apiCredentials`)) };
    }
    if (repositories !== undefined) {
      settings.repositories = repositories.map((repository, index): Repository => {
        const { credentials, ...rest } = repository;
        return { ...rest, ...optional("credentials", this.secretOf(credentials, `${root}.repositories[${index}].credentials`)) };
      });
    }
    if (remoteWrite !== undefined) {
      settings.remoteWrite = remoteWrite.map((target, index) => this.target(target, `${root}.remoteWrite[${index}]`));
    }
    return settings;
  }

  private target({ basicAuth, bearerToken, tls, ...rest }: TargetConfig, root: string): RemoteWriteTarget {
    // A password that is missing is reported; until then the target still has one.
    const password = this.secretOf(basicAuth?.password, `${root}.basicAuth.password`) ?? "";
    const { key, ...openTls } = tls ?? {};
    return {
      ...rest,
      ...optional("basicAuth", basicAuth === undefined ? undefined : { username: basicAuth.username, password }),
      ...optional("bearerToken", this.secretOf(bearerToken, `${root}.bearerToken`)),
      ...optional("tls", tls === undefined ? undefined : { ...openTls, ...optional("key", this.secretOf(key, `${root}.tls.key`)) }),
    };
  }

  /** Every value by itself, where it stands. */
  private values(config: SharedConfig, settings: BackupSettings, root: string): void {
    const connection = this.connection(config, "192.0.2.1");
    this.addAll(root, [...hostProblems({ hostName: "host", connection }), ...settingsProblems(settings)]);
  }

  private connection(config: SharedConfig & { hostKey?: string }, address: string): SshConnection {
    const { port, user, hostKey, insecureHostKey, bastion } = config;
    return {
      address,
      ...optional("port", port),
      ...optional("user", user),
      ...optional("hostKey", hostKey),
      ...optional("insecureHostKey", insecureHostKey),
      ...optional("attempts", config.connectAttempts),
      ...optional("attemptTimeoutSeconds", config.connectTimeoutSeconds),
      ...optional("bastion", bastion === undefined ? undefined : { ...bastion, privateKey: undefined }),
    };
  }

  /** The connection with its secrets; named once a host, so that a missing one is reported where it is named. */
  private sealedConnection(merged: HostConfig, own: HostConfig, root: string): SshConnection {
    const place = (key: "privateKey" | "privateKeyPassword" | "bastion"): string => (own[key] === undefined ? "defaults" : root);
    const connection = this.connection(merged, merged.address ?? merged.name);
    const bastionKey = this.secretOf(merged.bastion?.privateKey, `${place("bastion")}.bastion.privateKey`);
    return {
      ...connection,
      ...optional("privateKey", this.secretOf(merged.privateKey, `${place("privateKey")}.privateKey`)),
      ...optional("privateKeyPassword", this.secretOf(merged.privateKeyPassword, `${place("privateKeyPassword")}.privateKeyPassword`)),
      ...optional("bastion", connection.bastion === undefined ? undefined : { ...connection.bastion, ...optional("privateKey", bastionKey) }),
    };
  }

  private host(own: HostConfig | undefined, shared: SharedConfig | undefined, defaults: BackupSettings | undefined, root: string): FleetHost[] {
    if (own === undefined) {
      return [];
    }
    const settings = this.settings(own, root);
    const merged: HostConfig = { ...shared, ...own };
    const connection = this.sealedConnection(merged, own, root);
    const host: HostArgs = { hostName: own.name, connection: { ...this.connection(own, own.address ?? own.name), insecureHostKey: true } };
    const complete = mergeSettings(defaults ?? {}, settings);
    this.addAll(root, [...hostProblems(host), ...settingsProblems(settings), ...bootstrapProblems(own.bootstrapFrom, complete.repositories)]);
    if (!this.incomplete.has(root) && !this.incomplete.has("defaults")) {
      this.addAll(root, [...missingHostKey(connection), ...missingRepositories(complete), ...uselessProxy(complete.adminApi)]);
    }
    // A schedule of the defaults stays their problem unless the host has a part in it.
    const ownSchedule = own.schedule !== undefined || own.drill?.schedule !== undefined || own.spreadMinutes !== undefined || own.timeZone !== undefined;
    this.addAll(ownSchedule ? root : "defaults", scheduleProblems(complete, own.name));
    const { retired, awsRole, mayRead, bootstrapFrom } = own;
    const grants = { ...optional("awsRole", awsRole), ...optional("mayRead", mayRead), ...optional("bootstrapFrom", bootstrapFrom) };
    return [{ ...complete, name: own.name, connection, ...optional("retired", retired), ...grants }];
  }

  private offsiteBucket(): OffsiteBucketConfig | undefined {
    if (this.plain.offsiteBucket === undefined) {
      return undefined;
    }
    const bucket = this.shape(offsiteBucketSchema, this.plain.offsiteBucket, "offsiteBucket");
    if (bucket !== undefined) {
      this.addAll("offsiteBucket", bucketProblems(bucket));
    }
    return bucket;
  }
}

/** What a schema accepts of an input once its wrong parts are gone; a group that then lacks something goes next. */
function rest<T extends z.ZodType>(schema: T, error: z.ZodError, input: unknown): z.output<T> | undefined {
  const smaller = withoutWrongForms(error, input);
  const result = schema.safeParse(smaller);
  if (result.success) {
    return result.data;
  }
  return JSON.stringify(smaller) === JSON.stringify(input) ? undefined : rest(schema, result.error, smaller);
}

/** What of a host's configuration has the same form in code. */
function backupSettings(config: SharedConfig): BackupSettings {
  const { schedule, spreadMinutes, timeZone, source, format, archiveCompression, skipHead, holdBlocks, retention } = config;
  const { orphanGraceHours, suspectBelowPercent, companions, adminApi, textfile, alerts, drill, limits, victoriaMetrics } = config;
  const all: BackupSettings = {
    schedule, spreadMinutes, timeZone, source, format, archiveCompression, skipHead, holdBlocks, retention,
    orphanGraceHours, suspectBelowPercent, companions, adminApi, textfile, alerts, drill, limits, victoriaMetrics,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
