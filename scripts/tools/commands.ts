/** `npm run commands`: writes docs/commands.md and the table of docs/exit-codes.md. */
import * as fs from "fs";
import * as path from "path";
import { renderCommandsPage, renderExitCodeTable } from "../../components/host/command/pages";

const docs = path.join(__dirname, "..", "..", "docs");

function main(): void {
  const codes = path.join(docs, "exit-codes.md");
  fs.writeFileSync(path.join(docs, "commands.md"), renderCommandsPage());
  fs.writeFileSync(
    codes,
    fs.readFileSync(codes, "utf8").replace(/^\| code .*\n(\|.*\n)+/m, () => renderExitCodeTable()),
  );
}

main();
