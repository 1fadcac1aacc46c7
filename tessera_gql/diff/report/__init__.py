"""Back breaking changes with evidence: counterexamples, their confirmation by `jsonschema`, and hints."""
