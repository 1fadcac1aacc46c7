"""Decide which differences break, by a search for a document that one schema accepts and the other refuses."""
