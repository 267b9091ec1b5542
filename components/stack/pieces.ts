import { z } from "zod";
import { BackupSettings } from "../backupSettings";
import { SshConnection } from "../host/connection";
import { SharedConfig } from "./schema";
import { withoutWrongForms } from "./shape";

/** What a schema accepts of an input once its wrong parts are gone; a group that then lacks something goes next. */
export function rest<T extends z.ZodType>(schema: T, error: z.ZodError, input: unknown): z.output<T> | undefined {
  const smaller = withoutWrongForms(error, input);
  const result = schema.safeParse(smaller);
  if (result.success) {
    return result.data;
  }
  return JSON.stringify(smaller) === JSON.stringify(input) ? undefined : rest(schema, result.error, smaller);
}

/** What of a host's configuration has the same form in code. */
export function plainSettings(config: SharedConfig): BackupSettings {
  const {
    schedule,
    spreadMinutes,
    timeZone,
    scheduler,
    source,
    format,
    archiveCompression,
    skipHead,
    holdBlocks,
    retention,
  } = config;
  const {
    orphanGraceHours,
    suspectBelowPercent,
    companions,
    adminApi,
    textfile,
    alerts,
    drill,
    limits,
    victoriaMetrics,
  } = config;
  const all: BackupSettings = {
    schedule,
    spreadMinutes,
    timeZone,
    scheduler,
    source,
    format,
    archiveCompression,
    skipHead,
    holdBlocks,
    retention,
    orphanGraceHours,
    suspectBelowPercent,
    companions,
    adminApi,
    textfile,
    alerts,
    drill,
    limits,
    victoriaMetrics,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

/** How a host is reached, without secrets. */
export function plainConnection(config: SharedConfig & { hostKey?: string }, address: string): SshConnection {
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
