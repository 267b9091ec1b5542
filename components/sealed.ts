import * as pulumi from "@pulumi/pulumi";
import { PrometheusServer, Repository, SshConnection } from "./settings";

/** Whatever of a component's arguments may hold secrets. */
interface Sealable {
  connection?: SshConnection;
  prometheus?: PrometheusServer;
  repositories?: Repository[];
  heartbeat?: pulumi.Input<string>;
}

/**
 * Arguments with their secrets marked. Arguments of components end up in the state, and a component cannot say
 * afterwards which of them are secret.
 */
export function sealed<T extends Sealable>(args: T): T {
  const { connection, prometheus, repositories } = args;
  return {
    ...withSecret(args, "heartbeat"),
    ...(connection === undefined ? {} : { connection: sealedConnection(connection) }),
    ...(prometheus === undefined ? {} : { prometheus: withSecret(prometheus, "apiCredentials") }),
    ...(repositories === undefined ? {} : { repositories: repositories.map(repository => withSecret(repository, "credentials")) }),
  };
}

function sealedConnection(connection: SshConnection): SshConnection {
  const { bastion } = connection;
  return {
    ...withSecret(withSecret(connection, "privateKey"), "privateKeyPassword"),
    ...(bastion === undefined ? {} : { bastion: withSecret(bastion, "privateKey") }),
  };
}

function withSecret<T extends object, K extends keyof T>(holder: T, key: K): T {
  return holder[key] === undefined ? holder : { ...holder, [key]: pulumi.secret(holder[key]) };
}
