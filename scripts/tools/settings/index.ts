/** `npm run settings`: writes the tables of docs/settings.md. */
import * as fs from "fs";
import * as path from "path";
import { withTables } from "./page";

const page = path.join(__dirname, "..", "..", "..", "docs", "settings.md");

fs.writeFileSync(page, withTables(fs.readFileSync(page, "utf8")));
