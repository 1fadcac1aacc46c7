"""Evidence for changes: counterexamples, their confirmation, and hints."""
