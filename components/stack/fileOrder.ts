import { Problem } from "../fields/problems";

/** All problems, in the order of the file; what is missing comes after what is there. */
export function inFileOrder(problems: Problem[], file: unknown): Problem[] {
  const places = problems.map(problem => ({ problem, place: placeIn(file, problem.path) }));
  return places.sort((a, b) => compare(a.place, b.place)).map(({ problem }) => problem);
}

function placeIn(file: unknown, path: string): number[] {
  let value = file;
  const first = path.split(", ")[0] ?? "";
  return first
    .split(/[.[\]]+/)
    .filter(key => key !== "")
    .map(key => {
      const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
      const place = keys.indexOf(key);
      value = place < 0 ? undefined : (value as Record<string, unknown>)[key];
      return place < 0 ? Number.MAX_SAFE_INTEGER : place;
    });
}

function compare(a: number[], b: number[]): number {
  const length = Math.max(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = (a[index] ?? -1) - (b[index] ?? -1);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}
