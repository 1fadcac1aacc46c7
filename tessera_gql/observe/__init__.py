"""What an operator sees: metrics, logs, traces. None may hold a token, a variable or a literal of a document."""
