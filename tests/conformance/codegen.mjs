// graphql-codegen reads the schema from a running server and types our operations: node codegen.mjs WORK URL
import { readFile } from "node:fs/promises";
import { generate } from "@graphql-codegen/cli";
import ts from "typescript";

const [work, schema] = process.argv.slice(2);
const operations = JSON.parse(await readFile(`${work}/operations.json`, "utf8"));
const config = {
  dedupeOperationSuffix: true,
  strictScalars: true,
  scalars: { DateTime: "string", JSON: "unknown", URL: "string" },
};
const filenames = [`${work}/schema.ts`, `${work}/operations.ts`];
await generate(
  {
    schema,
    documents: `${work}/operations/*.graphql`,
    generates: {
      [filenames[0]]: { plugins: ["typescript"], config },
      [filenames[1]]: { plugins: ["typescript-operations"], config },
    },
    silent: true,
  },
  true,
);
const program = ts.createProgram(filenames, { strict: true, noEmit: true, skipLibCheck: true, types: [] });
const mistakes = ts.getPreEmitDiagnostics(program).map((one) => ts.flattenDiagnosticMessageText(one.messageText, "\n"));
const text = await readFile(filenames[1], "utf8");
const untyped = operations.filter(({ name }) => !text.includes(`export type ${name} = `));
for (const words of [...mistakes, ...untyped.map(({ name }) => `${name} has no type`)]) console.log(words);
const failed = mistakes.length ? operations.length : untyped.length;
console.log(`${operations.length - failed} of ${operations.length} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
