/**
 * `npm run validate -- --stack STACK`: checks the file of a stack as a preview does, without engine, secrets or hosts:
 * for editors and pull requests. A line for each problem: file, line, column, setting, what is wrong and what to do.
 * Ends with 0 if there is none, with 1 if there are, and with 2 if there is nothing to read.
 */
import * as fs from "fs";
import * as path from "path";
import { parseArgs } from "util";
import { ConfigError } from "../../components/stack/config";
import { placeOf, readFleet, stackFile, UsageError } from "./stackFile";

const usage = "Usage: npm run validate -- --stack STACK [--config FILE]";

function main(): number {
  const { values } = parseArgs({ options: { stack: { type: "string" }, config: { type: "string" } } });
  if (values.stack === undefined) {
    throw new UsageError(usage);
  }
  const file = values.config ?? stackFile(values.stack);
  const shown = path.relative("", file);
  try {
    const { hosts } = readFleet(values.stack, file, text => console.error(`${shown}: warning: ${text}`));
    console.log(`${shown}: ${hosts.length === 1 ? "1 host" : `${hosts.length} hosts`}, nothing to change`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    const text = fs.readFileSync(file, "utf8");
    for (const problem of error.problems) {
      const { line, column } = placeOf(text, problem.path);
      console.log(`${shown}:${line}:${column}: ${problem.path}: ${problem.text}`);
    }
    return 1;
  }
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(
    error instanceof UsageError
      ? `validate: error: ${error.message}`
      : error instanceof Error
        ? error.message
        : String(error),
  );
  process.exitCode = 2;
}
