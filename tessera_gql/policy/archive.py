"""Decisions about archived assets and teams: what they refuse, and what prevents archiving."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tessera_gql.errors import Conflict

MAX_NAMED = 5
"""Names of one kind that a refusal lists."""


class ArchivableAsset(Protocol):
    """The columns of an asset that say whether it is archived."""

    @property
    def fqn(self) -> str: ...
    @property
    def archived_at(self) -> datetime | None: ...


class ArchivableTeam(Protocol):
    """The columns of a team that say whether it is archived."""

    @property
    def name(self) -> str: ...
    @property
    def archived_at(self) -> datetime | None: ...


def require_live_asset(asset: ArchivableAsset, *, field: tuple[str, ...] = ("asset",)) -> None:
    """Raise Conflict for an archived asset."""
    if asset.archived_at is not None:
        raise Conflict(
            f"{asset.fqn} was archived on {asset.archived_at:%Y-%m-%d}. Restore it with unarchiveAsset first.",
            field=field,
        )


def require_live_team(team: ArchivableTeam, *, field: tuple[str, ...] = ("team",)) -> None:
    """Raise Conflict for an archived team."""
    if team.archived_at is not None:
        raise Conflict(
            f"The team {team.name} was archived on {team.archived_at:%Y-%m-%d}. Name another team, or ask an"
            " administrator to restore it with unarchiveTeam.",
            field=field,
        )


def require_unused(name: str, uses: Sequence[tuple[str, Sequence[str]]], advice: str) -> None:
    """Raise Conflict for what is still in use. Each of the `uses` has a sentence with `{}`, and the names for it."""
    sentences = [sentence.format(_join(names)) for sentence, names in uses if names]
    if sentences:
        raise Conflict(f"{name} can't be archived: {'; '.join(sentences)}. {advice}")


def _join(names: Sequence[str]) -> str:
    further = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {further} more" if further > 0 else "")
