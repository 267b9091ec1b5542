import { pattern } from "../fields/patterns";

/** From a file: the prompt of that command takes one line. */
export const storeSecret =
  "Store it with `pulumi config set --secret prometheus-backup:NAME < FILE`, and write that NAME here.";
export const secretNameCheck = pattern(
  /^[A-Za-z][A-Za-z0-9_-]{0,63}$/,
  `must be the name of a secret of this stack, not the secret itself. ${storeSecret}`,
);
