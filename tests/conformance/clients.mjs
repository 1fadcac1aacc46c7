// The reference clients, unmodified, each asking one query: node clients.mjs URL [AUTHORIZATION]
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";

const [url, authorization] = process.argv.slice(2);
if (!url) {
  console.error("Say which server: node clients.mjs http://127.0.0.1:8000/graphql ['Bearer KEY']");
  process.exit(2);
}
const credential = authorization ? { Authorization: authorization } : {};
const question = { query: "query Root { __typename }" };
const mistake = { query: "{ noFieldOfThisName }" };

async function answer(client, operation) {
  for await (const result of client.iterate(operation)) return result;
}

const checks = {
  "graphql-ws gets an answer": async (ws) => (await answer(ws, question)).data.__typename === "Query",
  "graphql-ws survives a mistake and asks again": async (ws) => {
    const errors = await answer(ws, mistake).then((result) => result.errors, (errors) => errors);
    return errors[0].extensions.code === "GRAPHQL_VALIDATION_FAILED" && (await answer(ws, question)).data;
  },
  "graphql-sse gets an answer": async (_, sse) => (await answer(sse, question)).data.__typename === "Query",
  "graphql-sse is told of a mistake": async (_, sse) =>
    (await answer(sse, mistake)).errors[0].extensions.code === "GRAPHQL_VALIDATION_FAILED",
};

const ws = createWs({
  url: url.replace(/^http/, "ws"),
  webSocketImpl: WebSocket,
  connectionParams: credential,
  retryAttempts: 0,
});
const sse = createSse({ url, headers: credential, retryAttempts: 0 });
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  const passed = await check(ws, sse).catch((error) => console.log(error));
  if (!passed) failed += 1;
  console.log(`${passed ? "passed" : "FAILED"} ${name}`);
}
await ws.dispose();
sse.dispose();
console.log(`${Object.keys(checks).length - failed} of ${Object.keys(checks).length} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
