// What changed in our own schema: node inspect.mjs OLD NEW CHANGELOG. A breaking change must be named in the changelog.
import { readFile } from "node:fs/promises";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";

const [old, current, changelog] = await Promise.all(process.argv.slice(2).map((path) => readFile(path, "utf8")));
const changes = await diff(buildSchema(old), buildSchema(current));
const breaking = changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
const untold = breaking.filter((change) => !changelog.includes(`\`${change.path ?? change.message}\``));
for (const { path, message, criticality } of untold) {
  console.log(`BREAKING ${path}: ${message}. ${criticality.reason ?? ""}`);
  console.log(`  Deprecate it with a date first, or write a line with \`${path}\` into CHANGELOG.md.`);
}
const total = changes.length || 1; // that nothing changed is as good
console.log(`${total - untold.length} of ${total} passed, ${untold.length} failed`);
process.exit(untold.length ? 1 : 0);
