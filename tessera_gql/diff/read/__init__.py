"""Parse and check schemas: documents, dialects, references, patterns, one normal form."""
