import * as pulumi from "@pulumi/pulumi";
import { SshConnection } from "./connection";
import { RemoteWriteTarget } from "./remoteWriteSettings";
import { PrometheusServer, Repository, TextfileSettings } from "./settings";

/** Whatever of a component's arguments may hold secrets. */
interface Sealable {
  connection?: SshConnection;
  prometheus?: PrometheusServer;
  repositories?: Repository[];
  heartbeat?: pulumi.Input<string>;
  textfile?: TextfileSettings;
  exporterCredentials?: pulumi.Input<string>;
  remoteWrite?: RemoteWriteTarget[];
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
    ...(repositories === undefined ? {} : { repositories: repositories.map(repository => withSecret(repository, "credentials")) }),
    ...(remoteWrite === undefined ? {} : { remoteWrite: remoteWrite.map(sealedTarget) }),
  };
}

function sealedConnection(connection: SshConnection): SshConnection {
  const { bastion } = connection;
  return {
    ...withSecret(withSecret(connection, "privateKey"), "privateKeyPassword"),
    ...(bastion === undefined ? {} : { bastion: withSecret(bastion, "privateKey") }),
  };
}

function sealedTarget(target: RemoteWriteTarget): RemoteWriteTarget {
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
