"""The GraphQL schema (types, inputs, loaders, mutations) and the server that executes operations against it."""
