"""Metrics, logs, traces and health checks. None may contain a token, a variable or a literal of a document."""
