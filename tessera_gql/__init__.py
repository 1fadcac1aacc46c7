"""Tessera GQL: a GraphQL server, command line and client for data contracts."""
