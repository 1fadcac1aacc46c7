// Starts GraphiQL on /graphql. Everything comes from this origin: the page's Content-Security-Policy allows no other.
"use strict";

const QUERY = `# Welcome to Tessera GQL:
# data contracts as a graph.
#
# An API key goes into the Headers editor below:
#   { "Authorization": "Bearer <your key>" }
# Unless you ask for it in the settings, it is
# not stored, and each tab has its own.
#
# Ctrl-Enter runs, Ctrl-Space completes, the book
# on the left explains, the two arrows below it
# load the schema again (after you gave a key).

query Assets {
  assets(first: 5) {
    nodes {
      fqn
      owner {
        name
      }
      currentContract {
        version
      }
    }
  }
}
`;

const PROPOSALS = `# The breaking changes that wait for an answer.
query Waiting {
  proposals(first: 5) {
    nodes {
      status
      proposedVersion
      asset {
        fqn
      }
    }
  }
}
`;

const SUBSCRIPTION = `# Stays open, and shows each answer as it is given.
# A cursor handed back as "after" replays what was
# missed.
subscription Alerts {
  proposalStatusChanged {
    cursor
  }
}
`;

const endpoint = new URL("graphql", window.location.href);
const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

// GraphiQL's history keeps the headers of every request, keys included, even while its settings say that headers
// are not stored. Here they are stored only when the settings say so.
function withoutHeaders(key, value) {
  const isHistory = key === "graphiql:queries" || key === "graphiql:favorites";
  if (!isHistory || window.localStorage.getItem("graphiql:shouldPersistHeaders") === "true") {
    return value;
  }
  return JSON.stringify(JSON.parse(value), (name, inner) => (name === "headers" ? "" : inner));
}

const storage = {
  getItem: (key) => window.localStorage.getItem(key),
  setItem: (key, value) => window.localStorage.setItem(key, withoutHeaders(key, value)),
  removeItem: (key) => window.localStorage.removeItem(key),
  clear() {
    Object.keys(window.localStorage)
      .filter((key) => key.startsWith("graphiql:"))
      .forEach((key) => window.localStorage.removeItem(key));
  },
  get length() {
    return window.localStorage.length;
  },
};

const { createElement } = React;
ReactDOM.createRoot(document.getElementById("graphiql")).render(
  createElement(
    GraphiQL,
    {
      fetcher: GraphiQL.createFetcher({ url: endpoint.href, subscriptionUrl: socket.href }),
      defaultQuery: QUERY,
      defaultTabs: [{ query: QUERY }, { query: PROPOSALS }, { query: SUBSCRIPTION }],
      defaultEditorToolsVisibility: "headers",
      inputValueDeprecation: true,
      schemaDescription: true,
      storage,
    },
    createElement(GraphiQL.Logo, null, "Tessera GQL"),
  ),
);
