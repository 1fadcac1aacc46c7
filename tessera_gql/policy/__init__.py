"""Decisions about our nouns: pure functions from what is known to what follows; nothing here reads or writes."""
