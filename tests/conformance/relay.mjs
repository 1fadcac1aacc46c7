// relay-compiler compiles our operations, relay-runtime runs them: node relay.mjs WORK SCHEMA URL [AUTHORIZATION]
// Beside them what Relay asks of a server: a connection page by page, and an object fetched again by its id.
import { spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import compiler from "relay-compiler";
import relay from "relay-runtime";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [work, schema, url, authorization] = process.argv.slice(2);
const operations = JSON.parse(await readFile(`${work}/operations.json`, "utf8"));
const folder = `${work}/relay`;

const pages = `
  query PagesQuery($count: Int!, $cursor: String) { ...Pages_list @arguments(count: $count, cursor: $cursor) }
`;
const list = `
  fragment Pages_list on Query @refetchable(queryName: "PagesPaginationQuery")
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" }) {
    assets(first: $count, after: $cursor) @connection(key: "Pages_assets") { edges { node { id ...Again_asset } } }
  }
`;
const again = `
  fragment Again_asset on Asset @refetchable(queryName: "AgainRefetchQuery") { fqn owner { name } }
`;

async function compile() {
  const customScalarTypes = { DateTime: "string", JSON: "mixed", URL: "string" };
  const artifactDirectory = `${folder}/made`;
  const config = { src: folder, schema, language: "javascript", eagerEsModules: false, artifactDirectory, customScalarTypes };
  await writeFile(`${folder}/relay.config.json`, JSON.stringify(config));
  const done = spawnSync(compiler, [`${folder}/relay.config.json`], { encoding: "utf8" });
  if (done.status === 0) return;
  console.log(done.stdout, done.stderr);
  console.log(`0 of ${operations.length} passed, ${operations.length} failed`);
  process.exit(1);
}

await mkdir(`${folder}/made`, { recursive: true });
const module = (text) => `import { graphql } from "relay-runtime";\nexport default graphql\`${text}\`;\n`;
for (const { name, text } of operations) await writeFile(`${folder}/${name}.js`, module(text));
await writeFile(`${folder}/Pages.js`, [pages, list].map((text) => `graphql\`${text}\`;`).join("\n"));
await writeFile(`${folder}/Again.js`, `graphql\`${again}\`;`);
await writeFile(`${folder}/package.json`, '{"type": "commonjs"}');
await compile();

const require = createRequire(`${folder}/`);
const made = (name) => require(`./made/${name}.graphql.js`);

async function post({ text, name }, variables) {
  const headers = { "Content-Type": "application/json", Accept: "application/graphql-response+json" };
  if (authorization) headers.Authorization = authorization;
  const body = JSON.stringify({ query: text, operationName: name, variables });
  const response = await fetch(url, { method: "POST", headers, body });
  const answer = await response.json();
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return answer;
}

const socket = createClient({
  url: url.replace(/^http/, "ws"),
  webSocketImpl: WebSocket,
  connectionParams: authorization ? { Authorization: authorization } : {},
});
const listen = ({ text, name }, variables) =>
  relay.Observable.create((sink) => socket.subscribe({ query: text, operationName: name, variables }, sink));

const environment = new relay.Environment({
  network: relay.Network.create(post, listen),
  store: new relay.Store(new relay.RecordSource()),
});

/** A subscription that says from where brings its first message; of another it counts that it was compiled. */
const ways = {
  query: (query, variables) => relay.fetchQuery(environment, query, variables).toPromise(),
  mutation: (mutation, variables) =>
    new Promise((onCompleted, onError) => {
      relay.commitMutation(environment, { mutation, variables, onCompleted, onError });
    }),
  subscription: async (subscription, variables) =>
    variables.after &&
    new Promise((onNext, onError) => {
      relay.requestSubscription(environment, { subscription, variables, onNext, onError });
    }),
};

const checks = operations.map(({ name, kind, variables }) => [name, () => ways[kind](made(name), variables)]);

/** What a fragment of Relay's reads, once an operation that spreads it was asked. */
async function read(name, variables, fragment, at = (data) => data) {
  const operation = relay.createOperationDescriptor(made(name), variables);
  await relay.fetchQuery(environment, made(name), variables).toPromise();
  const { data } = environment.lookup(operation.fragment);
  return environment.lookup(relay.getSingularSelector(made(fragment), at(data))).data;
}

const page = async (name, cursor) => (await read(name, { count: 2, cursor }, "Pages_list")).assets;

checks.push([
  "a connection page by page",
  async () => {
    const first = await page("PagesQuery", null);
    const second = await page("PagesPaginationQuery", first.pageInfo.endCursor);
    const ids = new Set([...first.edges, ...second.edges].map((edge) => edge.node.id));
    if (!first.pageInfo.hasNextPage || ids.size !== 4) throw new Error(`${[...ids]}`);
  },
]);
checks.push([
  "an object fetched again by its id",
  async () => {
    const { edges } = await page("PagesQuery", null);
    const asset = await read("AgainRefetchQuery", { id: edges[0].node.id }, "Again_asset", (data) => data.node);
    if (!asset.owner.name) throw new Error("no name");
  },
]);

let failed = 0;
for (const [name, check] of checks) {
  try {
    await check();
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.message}`);
  }
}
console.log(`${checks.length - failed} of ${checks.length} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
