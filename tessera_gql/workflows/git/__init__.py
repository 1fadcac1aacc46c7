"""Sync of contracts with a folder of YAML files under git."""
