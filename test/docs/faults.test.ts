// docs/reliability.md says where each fault is tested; the tests say in their titles which fault they are about.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.join(__dirname, "..", "..");
const FOLDERS = ["test/alerts", "test/backup", "test/hostCommand", "test/integration", "test/restore"];

/** `F5: test/hostCommand/interruption.test.ts` for every fault in the title of a test or of a group of tests. */
function tested(): string[] {
  const files = FOLDERS.flatMap(folder =>
    readdirSync(path.join(root, folder))
      .filter(name => name.endsWith(".ts"))
      .map(name => `${folder}/${name}`),
  );
  return files.flatMap(file => {
    const titles = readFileSync(path.join(root, file), "utf8").matchAll(/\(\s*"(F\d+)[: ]/g);
    return [...new Set([...titles].map(([, fault]) => fault))].map(fault => `${fault}: ${file}`);
  });
}

test("docs/reliability.md names every fault and the files that test it", () => {
  const [, section = ""] = readFileSync(path.join(root, "docs/reliability.md"), "utf8").split(
    "## Where each fault is tested",
  );
  const rows = [...section.matchAll(/^\| (F\d+) \| .* \| (.*) \|$/gm)];
  expect(rows.map(([, fault]) => fault)).toEqual(Array.from({ length: 36 }, (_, index) => `F${index + 1}`));
  const documented = rows.flatMap(([, fault, files = ""]) =>
    [...files.matchAll(/`(.*?)`/g)].map(([, file]) => `${fault}: ${file}`),
  );
  expect(documented.sort()).toEqual(tested().sort());
});
