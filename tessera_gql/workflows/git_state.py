"""What a pull knows while it merges, and how its refusals say where in the files they come from."""

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
class Pulled:
    """What a pull wrote; `passed_over` says which versions in the files were left out, and why."""

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
    passed_over: tuple[str, ...] = ()


@dataclass
class Merge:
    """`teams` and `assets` are what files may name, by key; `had_history` are the assets that had contracts before."""

    session: Session
    actor: Actor
    teams: dict[str, UUID] = field(default_factory=dict[str, UUID])
    assets: dict[str, Asset] = field(default_factory=dict[str, Asset])
    had_history: set[UUID] = field(default_factory=set[UUID])
    passed_over: list[str] = field(default_factory=list[str])
    _tally: Counter[str] = field(default_factory=Counter[str])

    def count(self, what: str, number: int = 1) -> None:
        self._tally[what] += number

    def team(self, name: str) -> UUID:
        found = self.teams.get(teams.key(name))
        if found is None:
            raise NotFound(f"There is no team {name}, neither here nor in a file. Add teams/{name}.yaml.")
        return found

    def asset(self, fqn: str) -> Asset:
        found = self.assets.get(assets.key(fqn))
        if found is None:
            raise NotFound(f"There is no asset {fqn}, neither here nor in a file. Add its file, or remove the mention.")
        return found

    def pulled(self) -> Pulled:
        return Pulled(**self._tally, passed_over=tuple(self.passed_over))


@contextmanager
def placed(path: str, line: int) -> Generator[None]:
    """Refusals inside say where."""
    try:
        yield
    except Refusal as error:
        raise type(error)(f"{path}, line {line}: {error.message}") from error


def once(named: Iterable[tuple[str, int, Hashable]]) -> None:
    """Raises Conflict for a key that stands twice."""
    seen: dict[Hashable, tuple[str, int]] = {}
    for path, line, key in named:
        if key in seen:
            before, there = seen[key]
            raise Conflict(f"{path}, line {line}: the same stands in {before}, line {there}. Keep one of the two.")
        seen[key] = (path, line)


def word(words: type[E], text: str) -> E:
    try:
        return words(text)
    except ValueError:
        raise Invalid(f"`{text[:80]}` is none of {', '.join(words)}.") from None
