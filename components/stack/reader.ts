import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { uselessProxy } from "../adminApi/settings";
import { Repository } from "../backupJob/repository";
import { environmentCheck, missingRepositories, scheduleProblems } from "../backupJob/problems";
import { backupForm, BackupSettings, mergeSettings, settingsProblems } from "../backupSettings";
import { bootstrapProblems } from "../bootstrap/settings";
import { fieldsIn } from "../fields/group";
import { nearest } from "../fields/nearest";
import { pattern } from "../fields/patterns";
import { Problem } from "../fields/problems";
import { changeSecrets } from "../fields/secrets";
import { privateKeyFault, SecretFault } from "../fields/secretText";
import {
  duplicateNames,
  FleetHost,
  offsiteProblems,
  PrometheusBackupFleetArgs,
  sharedMachines,
} from "../fleetSettings";
import { HostArgs, hostProblems, missingHostKey, SshConnection } from "../host/connection";
import { bucketForm, bucketProblems } from "../offsiteBucket/settings";
import { configPath, joined, nameOf } from "./paths";
import { optional, plainConnection, rest } from "./pieces";
import { HostConfig, hostSchema, OffsiteBucketConfig, SharedConfig, sharedSchema } from "./schema";
import { shapeProblems, storeSecret } from "./shape";
import { namespace, SecretLookup, StackConfig, StackFacts } from "./stackConfig";
import { unknownKeys } from "./unknownKeys";

export const secretNameCheck = pattern(
  /^[A-Za-z][A-Za-z0-9_-]{0,63}$/,
  `must be the name of a secret of this stack, not the secret itself. ${storeSecret}`,
);

export class Reader {
  public readonly problems: Problem[] = [];
  public readonly warnings: string[] = [];
  /** Where something of a wrong form was left out, so that nobody can say what is missing. */
  private readonly incomplete = new Set<string>();

  constructor(
    private readonly plain: StackConfig,
    private readonly secret: SecretLookup,
    private readonly facts: StackFacts,
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
    this.reachedHosts(configs, shared);
    const unknown = unknownKeys(this.plain, this.facts.keys ?? []);
    this.problems.push(...unknown.problems);
    this.warnings.push(...unknown.warnings);
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
      this.add(
        path
          .split(", ")
          .map(part => configPath(root, part))
          .join(", "),
        text,
      );
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
    for (const { path, text } of shapeProblems(schema, result.error, input)) {
      this.add(joined(root, path), text);
    }
    return rest(schema, result.error, input);
  }

  private hostConfigs(): (HostConfig | undefined)[] {
    const { hosts } = this.plain;
    if (!Array.isArray(hosts)) {
      this.add(
        "hosts",
        hosts === undefined
          ? "is missing. List the hosts, or write `[]` while there are none."
          : "must be a list. Correct it.",
      );
      return [];
    }
    const list: unknown[] = hosts;
    const configs = list.map((host, index) => this.shape(hostSchema, host, `hosts[${index}]`));
    // A host whose other settings are wrong still takes its name; a missing name is no duplicate of another.
    this.problems.push(
      ...duplicateNames(
        list.map((host, index) => ({ name: typeof nameOf(host) === "string" ? String(nameOf(host)) : `#${index}` })),
      ),
    );
    return configs;
  }

  /** A host is one machine. What has a wrong form, or no place of its own, is nobody's double. */
  private reachedHosts(configs: (HostConfig | undefined)[], shared: SharedConfig | undefined): void {
    const hosts = configs.map((own, index) => {
      const merged: HostConfig = { ...shared, ...own, name: own?.name ?? "" };
      const address = own === undefined || this.incomplete.has(`hosts[${index}]`) ? "" : (own.address ?? own.name);
      return { name: merged.name, connection: plainConnection(merged, address), retired: own?.retired };
    });
    for (const { path, text } of sharedMachines(hosts)) {
      this.add(path.replaceAll(".connection.", "."), text);
    }
  }

  /** The secret that a setting names, or nothing. */
  private secretOf(name: string | undefined, path: string, fault?: SecretFault): pulumi.Input<string> | undefined {
    if (name === undefined) {
      return undefined;
    }
    const complaint = secretNameCheck(name);
    if (complaint !== undefined) {
      this.add(path, complaint);
      return undefined;
    }
    const value = this.secret(name);
    const store = `\`pulumi config set --secret ${namespace}:${name} < FILE\``;
    if (value === undefined) {
      const near = nearest(
        name,
        (this.facts.keys ?? []).map(key => key.name),
      );
      const way = near === undefined ? ". Store it" : `; there is \`${near}\`. Write that name, or store it`;
      this.add(path, `names the secret \`${name}\`, which this stack does not have${way}: ${store}.`);
    }
    const text = this.facts.keys?.find(key => key.name === name)?.text;
    const words = text === undefined ? undefined : text.trim() === "" ? "is empty" : fault?.(text);
    if (words !== undefined) {
      this.add(path, `names the secret \`${name}\`, which ${words}. Store it from its file: ${store}.`);
    }
    return value;
  }

  /** The settings of hosts in the form of code: with what their secrets stand for, and the region of the stack. */
  private settings(config: SharedConfig, root: string): BackupSettings {
    const own = Object.fromEntries(
      fieldsIn(backupForm).flatMap(([name]) => {
        const value = config[name as keyof SharedConfig];
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const lookUp = (name: unknown, path: string, fault?: SecretFault): unknown =>
      this.secretOf(name as string, `${root}.${path}`, fault);
    const settings = changeSecrets(backupForm, own, lookUp) as BackupSettings;
    const repositories = settings.repositories?.map((repository): Repository => ({
      ...repository,
      ...optional("region", repository.region ?? (repository.bucket === "offsite" ? this.facts.awsRegion : undefined)),
    }));
    return { ...settings, ...optional("repositories", repositories) };
  }

  /** Every value by itself, where it stands. */
  private values(config: SharedConfig, settings: BackupSettings, root: string): void {
    const connection = plainConnection(config, "192.0.2.1");
    this.addAll(root, [...hostProblems({ hostName: "host", connection }), ...settingsProblems(settings)]);
  }

  /** The connection with its secrets; named once a host, so that a missing one is reported where it is named. */
  private sealedConnection(merged: HostConfig, own: HostConfig, root: string): SshConnection {
    const place = (key: "privateKey" | "privateKeyPassword" | "bastion"): string =>
      own[key] === undefined ? "defaults" : root;
    const connection = plainConnection(merged, merged.address ?? merged.name);
    const keyOf = (name: string | undefined, path: string): pulumi.Input<string> | undefined =>
      this.secretOf(name, path, privateKeyFault);
    const bastionKey = keyOf(merged.bastion?.privateKey, `${place("bastion")}.bastion.privateKey`);
    return {
      ...connection,
      ...optional("privateKey", keyOf(merged.privateKey, `${place("privateKey")}.privateKey`)),
      ...optional(
        "privateKeyPassword",
        this.secretOf(merged.privateKeyPassword, `${place("privateKeyPassword")}.privateKeyPassword`),
      ),
      ...optional(
        "bastion",
        connection.bastion === undefined ? undefined : { ...connection.bastion, ...optional("privateKey", bastionKey) },
      ),
    };
  }

  private host(
    own: HostConfig | undefined,
    shared: SharedConfig | undefined,
    defaults: BackupSettings | undefined,
    root: string,
  ): FleetHost[] {
    if (own === undefined) {
      return [];
    }
    const settings = this.settings(own, root);
    const merged: HostConfig = { ...shared, ...own };
    const connection = this.sealedConnection(merged, own, root);
    const host: HostArgs = {
      hostName: own.name,
      connection: { ...plainConnection(own, own.address ?? own.name), insecureHostKey: true },
    };
    const complete = mergeSettings(defaults ?? {}, settings);
    this.addAll(root, [
      ...hostProblems(host),
      ...settingsProblems(settings),
      ...bootstrapProblems(own.bootstrapFrom, complete.repositories),
    ]);
    if (!this.incomplete.has(root) && !this.incomplete.has("defaults")) {
      this.addAll(root, [
        ...missingHostKey(connection),
        ...missingRepositories(complete),
        ...uselessProxy(complete.adminApi),
      ]);
    }
    // A schedule of the defaults stays their problem unless the host has a part in it.
    const ownSchedule =
      own.schedule !== undefined ||
      own.drill?.schedule !== undefined ||
      own.spreadMinutes !== undefined ||
      own.timeZone !== undefined ||
      own.scheduler !== undefined;
    this.addAll(ownSchedule ? root : "defaults", scheduleProblems(complete, own.name));
    const { retired, awsRole, mayRead, bootstrapFrom } = own;
    const grants = {
      ...optional("awsRole", awsRole),
      ...optional("mayRead", mayRead),
      ...optional("bootstrapFrom", bootstrapFrom),
    };
    return [{ ...complete, name: own.name, connection, ...optional("retired", retired), ...grants }];
  }

  private offsiteBucket(): OffsiteBucketConfig | undefined {
    if (this.plain.offsiteBucket === undefined) {
      return undefined;
    }
    const bucket = this.shape(bucketForm, this.plain.offsiteBucket, "offsiteBucket");
    if (bucket !== undefined) {
      this.addAll("offsiteBucket", bucketProblems(bucket));
    }
    return bucket;
  }
}
