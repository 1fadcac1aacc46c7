// graphql-eslint on a schema: node lint.mjs SCHEMA
import { readFile } from "node:fs/promises";
import { ESLint } from "eslint";

const [path] = process.argv.slice(2);
process.env.SCHEMA = path;
const { default: overrideConfig } = await import("./eslint.config.mjs");
const eslint = new ESLint({ cwd: import.meta.dirname, overrideConfigFile: true, overrideConfig });
const [{ messages }] = await eslint.lintText(await readFile(path, "utf8"), { filePath: "schema.graphql" });
for (const { line, ruleId, message } of messages) console.log(`${path}:${line} ${ruleId}: ${message}`);
const rules = Object.entries(overrideConfig[0].rules).filter(([, setting]) => setting !== "off");
const broken = new Set(messages.map((one) => one.ruleId));
console.log(`${rules.length - broken.size} of ${rules.length} passed, ${broken.size} failed`);
process.exit(broken.size ? 1 : 0);
