"""Benchmarks with targets: `python -m bench NAME`. The `main` of each module returns the exit code."""
