"""Say on what it rests that nobody reads something, and what a proposal is held for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from tessera_gql.client.coverage_models import CoverageSummary, ProposalHold


def describe_coverage(coverage: CoverageSummary) -> str:
    """Describe a coverage as a sentence."""
    return f"{coverage.text[:1].upper()}{coverage.text[1:]}."


def list_hold_lines(fqn: str, hold: ProposalHold) -> Iterator[str]:
    """Yield what a proposal is held for, and the command by which an administrator waives it."""
    for item in hold.missing:
        yield f"held until observed reads cover {hold.required_days} days: {item.message}"
    show = build_tessera_command("usage", "coverage", fqn)
    yield f"it is let go by itself then; an administrator may publish it with --waive-coverage; to see more: {show}"
