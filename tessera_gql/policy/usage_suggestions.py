"""Suggest a team for a principal by its name, and fewer fields for a registration by what was seen."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tessera_gql.policy.affected_teams import PathIndex
from tessera_gql.policy.coverage import MAX_IMPORT_DELAY, CoveredWindow
from tessera_gql.policy.usage import CoveredSpan
from tessera_gql.policy.validation import uniqueness_key

WORD_PATTERN = re.compile(r"[^\W_]+")
JOINERS = ("-", "_", " ", ".", "")
MAX_WORDS = 6
"""Words of a name that are looked at."""
MIN_LENGTH = 3
"""Letters that the name of a team has at least to be recognized within another name."""
NARROWING_SPAN = timedelta(days=60)
"""The covered time after which unread fields of a registration count as not read."""


@dataclass(frozen=True)
class TeamSuggestion:
    """The team for which a principal probably reads, and why."""

    team_id: UUID
    reason: str


def list_team_names(principal: str) -> list[str]:
    """List names of teams that a principal's name contains, without case, those of the most words first."""
    parts = WORD_PATTERN.findall(uniqueness_key(principal))[:MAX_WORDS]
    names: dict[str, None] = {}
    for length in range(len(parts), 0, -1):
        for start in range(len(parts) - length + 1):
            for joiner in JOINERS if length > 1 else ("",):
                names.setdefault(joiner.join(parts[start : start + length]))
    return [name for name in names if len(name) >= MIN_LENGTH]


def find_stem(principal: str) -> str | None:
    """Return the beginning that a name shares with its siblings, up to its last word.

    It has two words at least; None for a shorter name.
    """
    name = uniqueness_key(principal)
    matches = [*WORD_PATTERN.finditer(name)]
    return name[: matches[-1].start()] if len(matches) > 2 else None


class PrincipalSiblings:
    """The teams of principals by the beginning of their names, from the rules that map them."""

    def __init__(self, rules: Iterable[tuple[str, UUID]]) -> None:
        self._rules: dict[str, list[tuple[str, UUID]]] = defaultdict(list)
        for pattern, team in rules:
            literal = pattern.split("*", 1)[0]
            stem = literal if literal != pattern else find_stem(pattern)
            if stem:
                self._rules[stem].append((pattern, team))

    def find_team(self, principal: str) -> TeamSuggestion | None:
        """Return the team of all siblings of a principal; None if there is none, or they belong to several."""
        stem = find_stem(principal)
        rules = self._rules.get(stem or "", [])
        if len({team for _, team in rules}) != 1:
            return None
        pattern, team = rules[0]
        further = f" and {len(rules) - 1} more" if len(rules) > 1 else ""
        return TeamSuggestion(team, f"{pattern}{further}, whose names begin with {stem} too, read for this team")


def suggest_team(principal: str, siblings: PrincipalSiblings, teams: Mapping[str, UUID]) -> TeamSuggestion | None:
    """Suggest the team of a principal by its siblings, else by the team's name in its own; `teams` are by that name."""
    if (suggestion := siblings.find_team(principal)) is not None:
        return suggestion
    matching = [name for name in list_team_names(principal) if name in teams]
    if not matching:
        return None
    word_count = max(len(WORD_PATTERN.findall(name)) for name in matching)
    best = {teams[name]: name for name in matching if len(WORD_PATTERN.findall(name)) == word_count}
    if len(best) != 1:
        return None
    ((team, name),) = best.items()
    return TeamSuggestion(team, f"the name contains {name}, the name of the team")


@dataclass(frozen=True)
class NarrowerFields:
    """The fields to which a registration could be narrowed, why, and the time that this rests on."""

    fields: tuple[str, ...]
    reason: str
    span: CoveredSpan


def suggest_fields(
    registered: Sequence[str] | None,
    reads: Mapping[str, datetime],
    declared: Collection[str],
    window: CoveredWindow,
    now: datetime,
) -> NarrowerFields | None:
    """Suggest fewer fields for a registration; None unless observed reads show that it needs fewer.

    `reads` has the latest reads of the team by field. The sources must cover 60 days without a gap up to their latest
    import, and must have seen the team reading in that time, by field.
    """
    latest = window.latest
    if latest is None or latest.end - latest.start < NARROWING_SPAN or latest.end < now - MAX_IMPORT_DELAY:
        return None
    span = CoveredSpan(latest.end - NARROWING_SPAN, latest.end)
    recent = {path for path, last_seen in reads.items() if last_seen >= span.start}
    if not recent or "" in recent or not recent <= {*declared}:
        return None
    fields = sorted(recent) if registered is None else _select_read(registered, recent)
    if not fields or (registered is not None and len(fields) == len(registered)):
        return None
    if registered is None and len(fields) == len(declared):
        return None
    scope = "everything" if registered is None else f"{len(registered)} fields"
    reason = f"registered for {scope}, but in {NARROWING_SPAN.days} covered days seen reading only {len(fields)}"
    return NarrowerFields(tuple(fields), reason, span)


def _select_read(registered: Sequence[str], recent: Collection[str]) -> list[str]:
    index: PathIndex[None] = PathIndex()
    for path in recent:
        index.add(path, None)
    return [path for path in registered if any(True for _ in index.find_overlapping(path))]
