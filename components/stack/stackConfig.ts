import type * as pulumi from "@pulumi/pulumi";

/** A stack's configuration as it stands in its file, without the namespace. */
export interface StackConfig {
  environment?: unknown;
  defaults?: unknown;
  hosts?: unknown;
  offsiteBucket?: unknown;
}

/** Gives the secret of a name, or nothing if the stack has none of that name. */
export type SecretLookup = (name: string) => pulumi.Input<string> | undefined;

/** A key of the stack in this namespace that is none of `StackConfig`: a secret, as a rule. */
export interface StackKey {
  name: string;
  /** Whether the stack keeps it encrypted. */
  secret: boolean;
  /** Its text, where that may be looked at. No message repeats it. */
  text?: string;
}

/** What else is known of a stack. */
export interface StackFacts {
  keys?: StackKey[];
  /** The region in which the stack itself works, and so that of its bucket. */
  awsRegion?: string;
  /** Told what is no reason to refuse the configuration. */
  warn?: (text: string) => void;
}

export const namespace = "prometheus-backup";

/** What a stack's file says to this project, apart from secrets. */
export const structures = ["environment", "defaults", "hosts", "offsiteBucket"];
