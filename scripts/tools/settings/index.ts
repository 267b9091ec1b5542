/** `npm run settings`: writes the tables of docs/settings.md, and what the host command knows of its settings. */
import * as fs from "fs";
import * as path from "path";
import { renderKeys } from "./keys";
import { withTables } from "./page";

const root = path.join(__dirname, "..", "..", "..");
const page = path.join(root, "docs", "settings.md");

fs.writeFileSync(page, withTables(fs.readFileSync(page, "utf8")));
fs.writeFileSync(path.join(root, "scripts", "lib", "shell", "keys.sh"), renderKeys());
