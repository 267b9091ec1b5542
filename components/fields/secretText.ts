import { Check } from "./patterns";

/** What is wrong with the text of a secret, as a clause such as "is empty"; never a letter of it. */
export type SecretFault = (text: string) => string | undefined;

export const lostLines = "has lost its line breaks, as a text does that is pasted at the prompt of `pulumi config set`";

/** Of a private key in PEM form, whatever program it is for. */
export const privateKeyFault: SecretFault = text => {
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) {
    return /^\s*(ssh|ecdsa)-/.test(text)
      ? "is a public key"
      : "is no private key: it has no line `-----BEGIN … PRIVATE KEY-----`";
  }
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[ \t]*\r?\n/.test(text)) {
    return lostLines;
  }
  return /\n-----END [A-Z0-9 ]*PRIVATE KEY-----/.test(text)
    ? undefined
    : "is cut off: it has no line `-----END … PRIVATE KEY-----`";
};

/** The fault as a check of a setting. An empty text stands for a secret that nobody has looked up. */
export function secretCheck(fault: SecretFault | undefined): Check {
  return text => {
    const words = text === "" ? undefined : fault?.(text);
    return words === undefined ? undefined : `${words}. Give the whole text of its file.`;
  };
}
