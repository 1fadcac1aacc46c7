"""Tessera GQL: data contracts as a graph."""
