import * as pulumi from "@pulumi/pulumi";

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
  /** Accept whatever key the host shows. Defaults to false; only for throw-away hosts, because anybody in between can then read and change what is sent. */
  insecureHostKey?: boolean;
  /** Host through which this one is reached. */
  bastion?: SshBastion;
  /** How often a connection is tried before the step fails. Defaults to 10. */
  attempts?: number;
  /** Seconds to wait for one attempt. Defaults to 15. */
  attemptTimeoutSeconds?: number;
}
