/** What looks like a private key, and opens nothing; `name` is a word of its own to look for. */
export function fakeKey(name = "PRIVATE"): string {
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${name}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
