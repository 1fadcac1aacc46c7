// Every schema rule of graphql-eslint, and Relay's; what is set otherwise says why beside it.
import graphql from "@graphql-eslint/eslint-plugin";

const every = graphql.configs["flat/schema-all"].rules;
const relay = graphql.configs["flat/schema-relay"].rules;

const ours = {
  // Forbids a schema to have mutations and subscriptions at all; ours has both.
  "@graphql-eslint/no-root-type": "off",
  // The printer sorts, and a test holds the file to it; the rule disagrees with every printer about capitals.
  "@graphql-eslint/alphabetize": "off",
  // Payloads, pages, messages and values have no identity; what has one implements Node, which asks for the id.
  "@graphql-eslint/strict-id-in-types": "off",
  // `nodes` beside `edges`, and short lists of values, are no pages. A group of an inbox and a link between columns have no
  // identity; Relay lets an edge hold any object.
  "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
  // Walks of the lineage and ranked search only go forward, which Relay allows.
  "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
};

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: process.env.SCHEMA } } },
    plugins: { "@graphql-eslint": graphql },
    rules: { ...every, ...relay, ...ours },
  },
];
