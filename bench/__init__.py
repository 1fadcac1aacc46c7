"""Figures beside targets: `python -m bench NAME`. A bench is a module whose `main` returns the exit code."""
