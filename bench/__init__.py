"""Figures beside targets. `python -m bench NAME` runs one; every bench is a module with a `main` that returns the exit code."""
