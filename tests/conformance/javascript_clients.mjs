// A client of the world, unmodified: node javascript_clients.mjs CLIENT URL [AUTHORIZATION]
// Reads {"query", "variables"} line by line and answers each with {"data", "errors"}; a subscription with its first message.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { createPersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { OperationTypeNode, getOperationAST, parse } from "graphql";
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import { firstValueFrom } from "rxjs";
import WebSocket from "ws";

const [name, url, authorization] = process.argv.slice(2);
const headers = authorization ? { Authorization: authorization } : {};
const { QUERY, MUTATION, SUBSCRIPTION } = OperationTypeNode;

const websocket = () =>
  createWs({ url: url.replace(/^http/, "ws"), webSocketImpl: WebSocket, connectionParams: headers, retryAttempts: 0 });

function iterating(client) {
  return async (query, _, variables) => {
    for await (const result of client.iterate({ query, variables })) return result;
    throw new Error("ended without a message");
  };
}

/** Sends only hashes, until the server asks for a document; every operation is sent twice, so that one is known. */
function apolloPersisted() {
  const counts = { misses: 0, hits: 0 };
  const counting = async (address, init) => {
    const isHashOnly = JSON.parse(init.body).query === undefined;
    const response = await fetch(address, init);
    const text = await response.clone().text();
    if (isHashOnly) counts[text.includes("PersistedQueryNotFound") ? "misses" : "hits"] += 1;
    return response;
  };
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const http = createPersistedQueryLink({ sha256 }).concat(new HttpLink({ uri: url, headers, fetch: counting }));
  const ask = apollo(http);
  return async (query, kind, variables) => {
    const answer = await ask(query, kind, variables);
    if (kind !== QUERY || answer.errors) return answer;
    const before = counts.hits;
    const again = await ask(query, kind, variables);
    const isKnown = counts.hits > before || JSON.stringify(variables).length > 90_000;
    return isKnown ? again : { errors: [{ message: `the hash is unknown after it was sent: ${JSON.stringify(counts)}` }] };
  };
}

function apollo(http = new HttpLink({ uri: url, headers })) {
  const isLive = ({ operationType }) => operationType === SUBSCRIPTION;
  const link = ApolloLink.split(isLive, new GraphQLWsLink(websocket()), http);
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const ways = {
    [QUERY]: (query, variables) => client.query({ query, variables, fetchPolicy: "network-only" }),
    [MUTATION]: (mutation, variables) => client.mutate({ mutation, variables }),
    [SUBSCRIPTION]: (query, variables) => firstValueFrom(client.subscribe({ query, variables })),
  };
  return async (query, kind, variables) => {
    try {
      const { data, error } = await ways[kind](gql(query), variables);
      return error ? { errors: [{ message: error.message }] } : { data };
    } catch (error) {
      return { errors: CombinedGraphQLErrors.is(error) ? error.errors : [{ message: `${error}` }] };
    }
  };
}

function urql() {
  const ws = websocket();
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: ws.subscribe({ query, variables }, sink) }),
  });
  const client = new Client({
    url,
    exchanges: [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription })],
    fetchOptions: { headers },
    preferGetMethod: false,
    requestPolicy: "network-only",
  });
  const ways = {
    [QUERY]: (...operation) => client.query(...operation).toPromise(),
    [MUTATION]: (...operation) => client.mutation(...operation).toPromise(),
    [SUBSCRIPTION]: (...operation) => new Promise((next) => void client.subscription(...operation).subscribe(next)),
  };
  return async (query, kind, variables) => {
    const { data, error } = await ways[kind](query, variables);
    return error ? { errors: error.graphQLErrors.length ? error.graphQLErrors : [{ message: `${error}` }] } : { data };
  };
}

const clients = {
  apollo: () => apollo(),
  "apollo-persisted": apolloPersisted,
  urql,
  "graphql-ws": () => iterating(websocket()),
  "graphql-sse": () => iterating(createSse({ url, headers, retryAttempts: 0 })),
};

const ask = clients[name]();
for await (const line of createInterface({ input: process.stdin })) {
  const { query, variables } = JSON.parse(line);
  const kind = getOperationAST(parse(query)).operation;
  const answer = await ask(query, kind, variables).catch((error) => ({
    errors: Array.isArray(error) ? error : [{ message: `${error?.message ?? error?.reason ?? error}` }],
  }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
