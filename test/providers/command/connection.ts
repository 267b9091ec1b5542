// The `connection` input: which fields there are, their defaults, and what is wrong with a given one.
import type { provider } from "@pulumi/pulumi";
import { isObject } from "../values";

export interface Connection {
  host: string;
  port: number;
  user: string;
  password?: string;
  privateKey?: string;
  privateKeyPassword?: string;
  agentSocketPath?: string;
  hostKey?: string;
  dialErrorLimit: number;
  perDialTimeout: number;
  proxy?: Connection;
}

const TEXTS = ["host", "user", "password", "privateKey", "privateKeyPassword", "agentSocketPath", "hostKey"];
const NUMBERS = ["port", "dialErrorLimit", "perDialTimeout"];

/** Reads a connection, laid open. No failure ever repeats a value: half of the fields are secret. */
export function toConnection(
  value: unknown,
  path = "connection",
): { connection: Connection; failures: provider.CheckFailure[] } {
  const failures: provider.CheckFailure[] = [];
  const fields = isObject(value) ? value : {};
  if (typeof fields.host !== "string") {
    failures.push({ property: `${path}.host`, reason: "is missing" });
  }
  for (const [key, field] of Object.entries(fields)) {
    if (TEXTS.includes(key) && field !== undefined && typeof field !== "string") {
      failures.push({ property: `${path}.${key}`, reason: "must be a string" });
    } else if (NUMBERS.includes(key) && field !== undefined && typeof field !== "number" && typeof field !== "string") {
      failures.push({ property: `${path}.${key}`, reason: "must be a number" });
    } else if (![...TEXTS, ...NUMBERS, "proxy"].includes(key)) {
      failures.push({ property: `${path}.${key}`, reason: "is no field of a connection" });
    }
  }
  const proxy = fields.proxy === undefined ? undefined : toConnection(fields.proxy, `${path}.proxy`);
  failures.push(...(proxy?.failures ?? []));
  const text = (key: string) => (typeof fields[key] === "string" ? fields[key] : undefined);
  const number = (key: string, otherwise: number) => (typeof fields[key] === "number" ? fields[key] : otherwise);
  const connection: Connection = {
    host: text("host") ?? "",
    port: number("port", 22),
    user: text("user") ?? "root",
    password: text("password"),
    privateKey: text("privateKey"),
    privateKeyPassword: text("privateKeyPassword"),
    agentSocketPath: text("agentSocketPath"),
    hostKey: text("hostKey"),
    dialErrorLimit: number("dialErrorLimit", 10),
    perDialTimeout: number("perDialTimeout", 15),
    proxy: proxy?.connection,
  };
  return { connection, failures };
}
