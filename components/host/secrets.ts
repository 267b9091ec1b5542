import * as pulumi from "@pulumi/pulumi";
import { SecretFault } from "../fields/secretText";

/**
 * A secret that may come from elsewhere, and is then checked as soon as it is known; `path` says which one it is. A
 * plain one has been checked.
 *
 * What is wrong is logged as an error, which fails a preview or an `up` in the end. A rejected output would leave a
 * program of the Automation API waiting for ever.
 */
export function checkedSecret(
  value: pulumi.Input<string>,
  path: string,
  fault: SecretFault | undefined,
): pulumi.Output<string> {
  const secret = pulumi.secret(value);
  if (typeof value === "string") {
    return secret;
  }
  return secret.apply(text => {
    const words = fault?.(text);
    if (words !== undefined) {
      void pulumi.log.error(`prometheus-backup: ${path} ${words}. Give the whole text of its file.`);
    }
    return text;
  });
}

type Secret = pulumi.Input<string>;

/** What of a connection is secret. */
interface SealableConnection {
  privateKey?: Secret;
  privateKeyPassword?: Secret;
  bastion?: { privateKey?: Secret };
}

/** What of a target of remote_write is secret. */
interface SealableTarget {
  bearerToken?: Secret;
  basicAuth?: { password: Secret };
  tls?: { key?: Secret };
}

/** Whatever of a component's arguments may hold secrets. */
interface Sealable {
  connection?: SealableConnection;
  prometheus?: { apiCredentials?: Secret };
  repositories?: { credentials?: Secret }[];
  heartbeat?: Secret;
  textfile?: { exporterCredentials?: Secret };
  exporterCredentials?: Secret;
  remoteWrite?: SealableTarget[];
}

/**
 * Arguments with their secrets marked. Arguments of components end up in the state, and a component cannot say
 * afterwards which of them are secret.
 */
export function sealed<T extends Sealable>(args: T): T {
  const { connection, prometheus, repositories, textfile, remoteWrite } = args;
  return {
    ...withSecret(withSecret(args, "heartbeat"), "exporterCredentials"),
    ...(connection === undefined ? {} : { connection: sealedConnection(connection) }),
    ...(prometheus === undefined ? {} : { prometheus: withSecret(prometheus, "apiCredentials") }),
    ...(textfile === undefined ? {} : { textfile: withSecret(textfile, "exporterCredentials") }),
    ...(repositories === undefined
      ? {}
      : { repositories: repositories.map(repository => withSecret(repository, "credentials")) }),
    ...(remoteWrite === undefined ? {} : { remoteWrite: remoteWrite.map(sealedTarget) }),
  };
}

function sealedConnection<T extends SealableConnection>(connection: T): T {
  const { bastion } = connection;
  return {
    ...withSecret(withSecret(connection, "privateKey"), "privateKeyPassword"),
    ...(bastion === undefined ? {} : { bastion: withSecret(bastion, "privateKey") }),
  };
}

function sealedTarget<T extends SealableTarget>(target: T): T {
  const { basicAuth, tls } = target;
  return {
    ...withSecret(target, "bearerToken"),
    ...(basicAuth === undefined ? {} : { basicAuth: withSecret(basicAuth, "password") }),
    ...(tls === undefined ? {} : { tls: withSecret(tls, "key") }),
  };
}

function withSecret<T extends object, K extends keyof T>(holder: T, key: K): T {
  return holder[key] === undefined ? holder : { ...holder, [key]: pulumi.secret(holder[key]) };
}
