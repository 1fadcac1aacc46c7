"""Every verb as an operation: its arguments in Python, its document, its typed answer. Knows no transport."""
