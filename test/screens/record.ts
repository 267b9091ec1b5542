// Plays a session on a host, on a terminal, and writes down each screen.
import { quote, type Host } from "../hosts/host";
import type { Screen, Step } from "./session";
import { onScreen } from "./terminal";

/** As root who has logged in. */
export async function record(host: Host, steps: Step[], { columns = 80, locale = "C.UTF-8" } = {}): Promise<Screen[]> {
  const screens: Screen[] = [];
  for (const step of steps) {
    const line = step.typed.replace(/^# /, "");
    const clean = `env -i PATH="$PATH" HOME=/root TERM=xterm LANG=${locale}`;
    const program = `stty cols ${columns} rows 40; exec ${clean} ${line}`;
    const sent = await host.run(`{ ${step.before ?? ":"}; } && script --quiet --command ${quote(program)} /dev/null`);
    screens.push({ ...step, text: onScreen(sent) });
  }
  return screens;
}
