"""Versions of an asset that a command names."""

from collections.abc import Sequence

MAX_LISTED = 10


def describe_missing_version(fqn: str, version: str, versions: Sequence[str]) -> str:
    """Describe that an asset has no such version, and which it has, the latest first."""
    listed = ", ".join(versions[:MAX_LISTED]) + (" and older ones" if len(versions) > MAX_LISTED else "")
    return f"{fqn} has no version {version}. Give one of: {listed}."
