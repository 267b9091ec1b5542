// What stands on a terminal in the end, from everything that a program has sent to it.

const ESCAPE = "\u001b";
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g");

/** Carriage returns, erased lines and colours done; no spaces at the ends of lines, no empty lines around. */
export function onScreen(sent: string): string {
  const lines = sent.replaceAll("\r\n", "\n").split("\n").map(lineOnScreen);
  return lines.join("\n").replace(/^\n+|\n+$/g, "");
}

function lineOnScreen(sent: string): string {
  // The last erasure leaves what came after it; without one a shorter text leaves the end of the longer one.
  const kept = sent
    .split(`${ESCAPE}[K`)
    .reduce((before, after) => (before.endsWith("\r") || before === "" ? after : before + after));
  let shown = "";
  for (const part of kept.split("\r")) {
    const text = part.replace(COLOUR, "");
    shown = text + shown.slice(text.length);
  }
  return shown.trimEnd();
}
