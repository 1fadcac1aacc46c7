"""The state of a pull while it merges files, and errors that name the place in a file."""

from collections import Counter
from collections.abc import Generator, Hashable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid, NotFound, Refusal
from tessera_gql.policy.access import Actor
from tessera_gql.store import assets, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, kw_only=True)
class PullResult:
    """Counts of what a pull wrote; `passed_over` has a sentence for each version that was skipped."""

    teams_created: int = 0
    teams_updated: int = 0
    assets_created: int = 0
    assets_updated: int = 0
    contracts_restored: int = 0
    contracts_published: int = 0
    contracts_retired: int = 0
    proposals_opened: int = 0
    registrations_created: int = 0
    registrations_updated: int = 0
    dependencies_added: int = 0
    deprecations_added: int = 0
    deprecations_updated: int = 0
    policies_updated: int = 0
    passed_over: tuple[str, ...] = ()


@dataclass
class PullState:
    """The state of a pull, with `teams` and `assets` by key."""

    session: Session
    actor: Actor
    teams: dict[str, UUID] = field(default_factory=dict[str, UUID])
    assets: dict[str, Asset] = field(default_factory=dict[str, Asset])
    passed_over: list[str] = field(default_factory=list[str])
    _counts: Counter[str] = field(default_factory=Counter[str])

    def count(self, counter: str, number: int = 1) -> None:
        self._counts[counter] += number

    def get_team_id(self, name: str) -> UUID:
        team_id = self.teams.get(teams.key(name))
        if team_id is None:
            raise NotFound(f"There is no team {name}, neither here nor in a file. Add teams/{name}.yaml.")
        return team_id

    def get_asset(self, fqn: str) -> Asset:
        asset = self.assets.get(assets.key(fqn))
        if asset is None:
            raise NotFound(f"There is no asset {fqn}, neither here nor in a file. Add its file, or remove the mention.")
        return asset

    def to_result(self) -> PullResult:
        return PullResult(**self._counts, passed_over=tuple(self.passed_over))


@contextmanager
def locate_errors(path: str, line: int) -> Generator[None]:
    """Prefix refusals raised in the block with file and line."""
    try:
        yield
    except Refusal as error:
        raise type(error)(f"{path}, line {line}: {error.message}") from error


def require_unique(entries: Iterable[tuple[str, int, Hashable]]) -> None:
    """Raise Conflict for a key that occurs twice."""
    locations: dict[Hashable, tuple[str, int]] = {}
    for path, line, key in entries:
        if key in locations:
            first_path, first_line = locations[key]
            raise Conflict(
                f"{path}, line {line}: the same stands in {first_path}, line {first_line}. Keep one of the two."
            )
        locations[key] = (path, line)


def parse_enum(enum: type[E], text: str) -> E:
    """Parse an enum value; raises Invalid with the permitted values."""
    try:
        return enum(text)
    except ValueError:
        raise Invalid(f"`{text[:80]}` is none of {', '.join(enum)}.") from None
