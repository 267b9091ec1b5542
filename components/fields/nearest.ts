/** How many letters have to be added, left out or changed to make one text of the other. */
function distance(from: string, to: string): number {
  let row = [...Array(to.length + 1).keys()];
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...to].entries()) {
      const changed = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The name that was most likely meant: one that differs in case, or in a third of its letters at most. */
export function nearest(name: string, names: string[]): string | undefined {
  const typed = name.toLowerCase();
  const [best] = names
    .filter(candidate => candidate !== name)
    .map(candidate => ({ candidate, letters: distance(typed, candidate.toLowerCase()) }))
    .filter(({ candidate, letters }) => letters <= Math.max(candidate.length, typed.length) / 3)
    .sort((a, b) => a.letters - b.letters);
  return best?.candidate;
}
