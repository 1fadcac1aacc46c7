"""Persistence: tables, connections, transactions and queries. The only package that writes SQL."""
