import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { privateKeyFault } from "../fields/secretText";
import { connectionDefaults, SshBastion, SshConnection } from "./connection";
import { checkedSecret } from "./secrets";

/** One output a key, so that a bad one is said once and not at every step of a host. */
const keys = new WeakMap<SshConnection | SshBastion, pulumi.Output<string>>();

/** The private key of a connection or of its bastion. */
function keyOf(holder: SshConnection | SshBastion, path: string): pulumi.Output<string> | undefined {
  if (holder.privateKey === undefined) {
    return undefined;
  }
  const known = keys.get(holder) ?? checkedSecret(holder.privateKey, path, privateKeyFault);
  keys.set(holder, known);
  return known;
}

function proxyArgs(bastion: SshBastion, connection: SshConnection): command.types.input.remote.ProxyConnectionArgs {
  return {
    host: bastion.address,
    port: bastion.port ?? connectionDefaults.port,
    user: bastion.user ?? connectionDefaults.user,
    privateKey: keyOf(bastion, "connection.bastion.privateKey") ?? keyOf(connection, "connection.privateKey"),
    hostKey: bastion.hostKey,
    dialErrorLimit: connection.attempts ?? connectionDefaults.attempts,
    perDialTimeout: connection.attemptTimeoutSeconds ?? connectionDefaults.attemptTimeoutSeconds,
  };
}

/**
 * Field by field: the provider prints a whole connection, private key included, when it meets a key it does not know.
 */
export function connectionArgs(connection: SshConnection): command.types.input.remote.ConnectionArgs {
  const { privateKeyPassword } = connection;
  return {
    host: connection.address,
    port: connection.port ?? connectionDefaults.port,
    user: connection.user ?? connectionDefaults.user,
    ...(connection.privateKey === undefined ? {} : { privateKey: keyOf(connection, "connection.privateKey") }),
    ...(privateKeyPassword === undefined ? {} : { privateKeyPassword: pulumi.secret(privateKeyPassword) }),
    ...(connection.hostKey === undefined ? {} : { hostKey: connection.hostKey }),
    dialErrorLimit: connection.attempts ?? connectionDefaults.attempts,
    perDialTimeout: connection.attemptTimeoutSeconds ?? connectionDefaults.attemptTimeoutSeconds,
    ...(connection.bastion === undefined ? {} : { proxy: proxyArgs(connection.bastion, connection) }),
  };
}

/** What tells one machine from another one behind the same resource. */
export function placeOf(connection: SshConnection): pulumi.Output<string> {
  return pulumi.interpolate`${connection.address}:${connection.port ?? connectionDefaults.port}`;
}
