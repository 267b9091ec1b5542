import { nearest } from "../fields/nearest";
import { Problem } from "../fields/problems";
import { textsIn } from "./paths";
import { namespace, StackConfig, StackKey, structures } from "./stackConfig";

/** Keys of the stack that are neither a structure nor named by one: a slip of the pen, which must not be ignored. */
export function unknownKeys(plain: StackConfig, keys: StackKey[]): { problems: Problem[]; warnings: string[] } {
  const named = new Set(textsIn([plain.defaults, plain.hosts]));
  const unknown = keys.filter(key => !named.has(key.name));
  const known = structures.map(structure => `\`${structure}\``).join(", ");
  const problems = unknown
    .filter(({ secret }) => !secret)
    .map(({ name }) => {
      const near = nearest(name, structures);
      const meant =
        near === undefined ? `There are ${known}, and secrets that they name.` : `Did you mean \`${near}\`?`;
      return { path: name, text: `is not a setting of ${namespace}. ${meant}` };
    });
  const warnings = unknown
    .filter(({ secret }) => secret)
    .map(({ name }) => `the secret \`${name}\` of this stack is named by no setting of ${namespace}`);
  return { problems, warnings };
}
