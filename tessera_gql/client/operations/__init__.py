"""Builders of the SDK's operations: each turns Python arguments into a document, variables and a parser."""
