import * as pulumi from "@pulumi/pulumi";
import { Fields, group } from "../fields/group";
import { changeSecrets } from "../fields/secrets";
import { SecretFault } from "../fields/secretText";
import { connectionForm } from "./connection";
import { serverForm } from "./server";

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

const hostForm = { connection: connectionForm, prometheus: serverForm };

/**
 * Arguments with their secrets marked, those of host and server and what else `form` calls secret. Arguments of
 * components end up in the state, and a component cannot say afterwards which of them are secret.
 */
export function sealed<T extends object>(args: T, form: Fields = {}): T {
  return changeSecrets(group({ ...hostForm, ...form }), args, leaf => pulumi.secret(leaf)) as T;
}
