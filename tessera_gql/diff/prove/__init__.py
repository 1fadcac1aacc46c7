"""Decide whether one schema accepts a document that the other one refuses."""
