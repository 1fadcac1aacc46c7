"""Parse and check schema documents, and present them in one normal form: drafts, references, patterns, views."""
