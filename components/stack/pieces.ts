import { z } from "zod";
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
