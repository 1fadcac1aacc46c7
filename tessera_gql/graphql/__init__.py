"""The GraphQL schema: types, inputs, dataloaders, mutations and subscriptions."""
