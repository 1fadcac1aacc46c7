// A client of a few lines: a typed document goes out, its typed result comes back.
import { createClient, type Client } from "graphql-ws";
import WebSocket from "ws";
import type { TypedDocumentString } from "./generated/graphql.js";

const url = process.env.TESSERA_URL ?? "http://localhost:8000";
const key = process.env.TESSERA_API_KEY;
const headers: Record<string, string> = key ? { Authorization: `Bearer ${key}` } : {};

export class GraphQLFailure extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

interface Reply<Result> {
  data?: Result | null;
  errors?: readonly { message: string; extensions: { code: string } }[];
}

function unwrap<Result>({ data, errors }: Reply<Result>): Result {
  if (errors?.[0]) throw new GraphQLFailure(errors[0].extensions.code, errors[0].message);
  if (!data) throw new Error("The reply has neither data nor errors.");
  return data;
}

/** Run a query or a mutation. */
export async function execute<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  ...[variables]: Variables extends Record<string, never> ? [] : [Variables]
): Promise<Result> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json", Accept: "application/graphql-response+json" },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  return unwrap((await response.json()) as Reply<Result>);
}

export function connect(): Client {
  return createClient({ url: `${url.replace(/^http/, "ws")}/graphql`, webSocketImpl: WebSocket, connectionParams: headers });
}

/** Iterate over the messages of a subscription. */
export async function* subscribe<Result, Variables extends Record<string, unknown>>(
  client: Client,
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): AsyncGenerator<Result> {
  for await (const reply of client.iterate<Result>({ query: document.toString(), variables })) {
    yield unwrap(reply as unknown as Reply<Result>);
  }
}
