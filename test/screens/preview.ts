// What a newcomer sees first: the preview of README's first host, by the real engine.
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { deploy } from "../../components/stack/program";
import { createTestStack } from "../integration/harness";
import type { Screen } from "./session";

const example = path.join(__dirname, "..", "examples", "first-host.yaml");

/** A stack named as in README; nothing but the file of its first host is in it. */
export async function recordPreview(): Promise<Screen> {
  const { config } = parse(readFileSync(example, "utf8")) as { config: Record<string, unknown> };
  const stack = await createTestStack({ program: () => Promise.resolve({ ...deploy() }), stack: "prod", config });
  try {
    const { output, dials } = await stack.preview({ diff: false });
    if (dials.length > 0) {
      throw new Error(`the preview has called ${dials.join(", ")}`);
    }
    return {
      role: "newcomer",
      want: "The preview of the first host",
      typed: "$ pulumi preview --stack prod",
      text: tidy(output),
      // The engine tells of resources as they come.
      sideBySide: true,
      look: "No host is contacted. Each step of the host is a resource, and below stands what may restart Prometheus; a warning is told again by each preview until it is mended.",
    };
  } finally {
    stack.remove();
  }
}

/** Each line once: of what the engine repeats while it waits, and of messages, which stand below with their words. */
function tidy(output: string): string {
  const lines = output
    .split("\n")
    .map(line => line.trimEnd())
    .filter(line => !/^@ |^\.+$| create (warning: |Prometheus of )/.test(line));
  const once = lines.filter((line, index) => line === "" || lines.indexOf(line) === index);
  return once.join("\n").trim();
}
