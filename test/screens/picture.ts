// docs/screens.svg: some screens of the operator as a terminal shows them.
import type { Screen } from "./session";

const SHOWN = ["Is everything all right?", "What would a restore do?", "A run while a disk is away", "And now?"];
const COLUMNS = 100;
const [CHARACTER, LINE, MARGIN] = [7.85, 18, 16] as const;

export function drawScreens(screens: Screen[]): string {
  const shown = SHOWN.flatMap(want => screens.filter(screen => screen.want === want));
  const lines = shown.flatMap(({ typed, text }) => [typed, ...text.split("\n"), ""]).flatMap(wrapped);
  const [width, height] = [Math.ceil(COLUMNS * CHARACTER) + 2 * MARGIN, lines.length * LINE + 2 * MARGIN];
  const rows = lines.map((line, index) => {
    const colour = line.startsWith("# ") ? "#7fb7d4" : "#e6e6e6";
    const y = MARGIN + (index + 1) * LINE - 5;
    return `<text x="${MARGIN}" y="${y}" fill="${colour}" xml:space="preserve">${escaped(line)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#1e2226"/>`,
    '<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">',
    ...rows,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

/** A terminal breaks lines wherever they reach its edge. */
const wrapped = (line: string): string[] => line.match(new RegExp(`.{1,${COLUMNS}}`, "gu")) ?? [""];

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
