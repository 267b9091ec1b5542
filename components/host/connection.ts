import type * as pulumi from "@pulumi/pulumi";
import { defaultsOf, flag, part, required, secret, table, text, whole } from "../fields/group";
import { addressCheck, hostKeyCheck, hostNameCheck, loginCheck } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { privateKeyFault } from "../fields/secretText";

/** A host through which another one is reached. */
export interface SshBastion {
  /** Name or IP address. May come from another resource. */
  address: pulumi.Input<string>;
  /** Port of its SSH server. Defaults to 22. */
  port?: pulumi.Input<number>;
  /** User to log in as. Defaults to `root`. */
  user?: pulumi.Input<string>;
  /** Private key for the bastion, as the text of the key file. Defaults to the key of the host behind it. */
  privateKey?: pulumi.Input<string>;
  /** Public key of the bastion, as `ssh-keyscan -t ed25519 ADDRESS` prints it, without the address in front. */
  hostKey: pulumi.Input<string>;
}

/** How a host is reached over SSH. Everything here may come from other resources. */
export interface SshConnection {
  /** Name or IP address. Changing it runs the steps again at the new address; resource names do not depend on it. */
  address: pulumi.Input<string>;
  /** Port of the SSH server. Defaults to 22. */
  port?: pulumi.Input<number>;
  /** User to log in as; needs `sudo` without a password unless it is root. Defaults to `root`. */
  user?: pulumi.Input<string>;
  /**
   * Private key, as the text of the key file; always kept secret. Without it the keys of the SSH agent are tried.
   *
   * Changing it runs all steps of the host again, which changes nothing on the host.
   */
  privateKey?: pulumi.Input<string>;
  /** Passphrase of the private key; always kept secret. */
  privateKeyPassword?: pulumi.Input<string>;
  /**
   * Public key of the host, as `ssh-keyscan -t ed25519 ADDRESS` prints it, without the address in front.
   *
   * A host that shows another key is refused. Required unless `insecureHostKey` is set.
   */
  hostKey?: pulumi.Input<string>;
  /**
   * Accept whatever key the host shows. Defaults to false; only for throw-away hosts, because anybody in between can
   * then read and change what is sent.
   */
  insecureHostKey?: boolean;
  /** Host through which this one is reached. */
  bastion?: SshBastion;
  /** How often a connection is tried before the step fails. Defaults to 10. */
  attempts?: number;
  /** Seconds to wait for one attempt. Defaults to 15. */
  attemptTimeoutSeconds?: number;
}

/** The host that a component works on. */
export interface HostArgs {
  /**
   * Stable name of the host: lower case letters, digits, `.` and `-`. Plain text, because resources, metrics and the
   * host's directory in every repository carry it. A new name is a new host with no backups.
   */
  hostName: string;
  /** How the host is reached. */
  connection: SshConnection;
  /**
   * Set before a dead host is removed. Defaults to false.
   *
   * Its steps are then forgotten instead of undone: one `pulumi up` with this set, then one without the host. Neither
   * contacts it.
   */
  retired?: boolean;
  /**
   * Whether this component copies the toolkit (the host command and the programs of the steps) to the host. Defaults to
   * true. Set to false where another component that this one depends on has done so for the same host; that saves a
   * connection.
   */
  carriesToolkit?: boolean;
}

export const bastionForm = table<SshBastion>()({
  address: required(text({ check: addressCheck })),
  port: whole(1, 65_535, { default: 22 }),
  user: text({ check: loginCheck, default: "root" }),
  privateKey: secret({ fault: () => privateKeyFault }),
  hostKey: required(text({ check: hostKeyCheck })),
});

export const connectionForm = table<SshConnection>()({
  address: required(text({ check: addressCheck })),
  port: whole(1, 65_535, { default: 22, says: "SSH port" }),
  user: text({ check: loginCheck, default: "root", says: "SSH user; needs `sudo` without a password" }),
  privateKey: secret({
    fault: () => privateKeyFault,
    says:
      "name of the secret with the key; without it the SSH agent's keys are tried, and every preview " +
      "warns if there is no agent with one",
  }),
  privateKeyPassword: secret({ says: "name of the secret with its passphrase" }),
  hostKey: text({
    check: hostKeyCheck,
    shown: "required",
    says: "public key of the host, as `ssh-keyscan -t ed25519 ADDRESS` prints it, without the address in " + "front",
  }),
  insecureHostKey: flag({ default: false, says: "accept any host key; for throw-away hosts only" }),
  bastion: part(bastionForm, { says: "a host in between: `address`, `port`, `user`, `privateKey`, `hostKey`" }),
  attempts: whole(1, 100, { default: 10, says: "connections tried before a step fails" }),
  attemptTimeoutSeconds: whole(1, 600, { default: 15, says: "seconds for one of them" }),
});

export const connectionDefaults = defaultsOf(connectionForm);

/** What is wrong with the host and the way to it. */
export function hostProblems(host: HostArgs): Problem[] {
  const found = new Findings();
  const { connection } = host;
  found.text("hostName", host.hostName, hostNameCheck);
  found.fields("connection", connectionForm, connection);
  return found.problems;
}

/** A host is never reached without knowing that it is the right one, unless that is said. */
export function missingHostKey(connection: SshConnection): Problem[] {
  if (connection.hostKey !== undefined || connection.insecureHostKey === true) {
    return [];
  }
  const text = "is missing. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in front.";
  return [{ path: "connection.hostKey", text }];
}
