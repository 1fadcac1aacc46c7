// Check messages with the types of Slack and Microsoft, and parse each Adaptive Card as a host of version 1.5 does.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";

const [folder] = process.argv.slice(2);
const require = createRequire(import.meta.url);
globalThis.window = globalThis; // the bundle is made for browsers
const cards = require("adaptivecards/dist/adaptivecards.js");
const here = dirname(fileURLToPath(import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
const failures = [];

function check(isRight, text) {
  if (!isRight) failures.push(text);
}

// A literal, so that the compiler refuses properties that the types don't have.
const HEADS = {
  slack: 'import type { KnownBlock } from "@slack/types";\nexport const message: { text: string; blocks: KnownBlock[] } = ',
  teams: 'import type { IAdaptiveCard } from "@microsoft/teams.cards";\nexport const card: IAdaptiveCard = ',
};

function writeSources() {
  const target = join(folder, "sources");
  mkdirSync(target, { recursive: true });
  return names.map((name) => {
    const channel = name.split(" ")[0];
    const body = JSON.parse(readFileSync(join(folder, name), "utf8"));
    const value = channel === "teams" ? body.attachments[0].content : body;
    const file = join(target, `${name.replaceAll(" ", "_").replace(".json", ".ts")}`);
    writeFileSync(file, `${HEADS[channel]}${JSON.stringify(value)};\n`);
    return file;
  });
}

function checkTypes() {
  const files = writeSources();
  const options = { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022, types: [],
    baseUrl: here, paths: { "*": [join(here, "node_modules/*")] }, ignoreDeprecations: "5.0" };
  const program = ts.createProgram(files, options);
  const broken = new Set();
  for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
    const file = diagnostic.file?.fileName ?? "";
    if (!broken.has(file)) failures.push(`${file}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, " ")}`);
    broken.add(file);
  }
  // The check would pass as well if a type were unknown to it.
  const probe = join(folder, "sources", "probe.ts");
  writeFileSync(probe, `${HEADS.slack}{ text: "", blocks: [{ type: "header", nonsense: 1 }] };\n${HEADS.teams.replace("card:", "probe:")}{ type: "AdaptiveCard", version: "1.5", body: [{ type: "Nonsense" }] };\n`);
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([probe], options));
  check(diagnostics.length === 2, `the probe has ${diagnostics.length} errors, not 2`);
}

function checkCards() {
  const known = new cards.Version(1, 5);
  for (const name of names.filter((item) => item.startsWith("teams"))) {
    const text = readFileSync(join(folder, name), "utf8");
    const envelope = JSON.parse(text);
    const card = new cards.AdaptiveCard();
    const context = new cards.SerializationContext(known);
    card.parse(envelope.attachments[0].content, context);
    const events = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index).message);
    check(events.length === 0, `${name}: ${events.join("; ")}`);
    check(card.getItemCount() === envelope.attachments[0].content.body.length, `${name}: an element was not understood`);
    check(envelope.type === "message" && Buffer.byteLength(text) <= 28_000, `${name}: ${Buffer.byteLength(text)} bytes`);
  }
}

checkTypes();
checkCards();
for (const text of failures) console.log(text);
const total = names.length;
const failed = Math.min(failures.length, total);
console.log(`${total - failed} of ${total} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
