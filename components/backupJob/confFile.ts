/** Text that a shell reads back as exactly `value`. Throws `RangeError` on NUL, which bash cannot hold. */
export function quote(value: string): string {
  if (value.includes("\0")) {
    throw new RangeError("a setting holds a NUL character, which bash cannot hold");
  }
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/** The host's settings file, one `KEY='value'` a line. Throws `RangeError` on NUL and on a key that is no name. */
export function renderSettings(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([key, value]) => {
      if (!/^[A-Z][A-Z0-9_]*$/.test(key)) {
        throw new RangeError(`"${key}" is not a name of a setting`);
      }
      return `${key}=${quote(value)}\n`;
    })
    .join("");
}
