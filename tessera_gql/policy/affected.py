"""Whom a breaking change really hurts: fields and changes meet when one path is a prefix of the other."""

import difflib
import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.errors import Invalid

LIKELY = 200
STEP = re.compile(r"\[\]|[^.\[\]]+")


@dataclass(frozen=True)
class Reader:
    """A live registration: `fields` None reads everything."""

    team_id: UUID
    fields: tuple[str, ...] | None


@dataclass(frozen=True)
class Affected:
    """`asked` maps each hurt team to the fingerprints of the changes that hurt it; `informed` are the other readers."""

    asked: Mapping[UUID, tuple[str, ...]]
    informed: frozenset[UUID]


def steps(path: str) -> tuple[str, ...]:
    """`items[].sku` is items, its elements, their sku; the root has no steps."""
    return tuple(STEP.findall(path))


def meet(field: str, path: str) -> bool:
    one, other = steps(field), steps(path)
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def touches(change: Change, fields: Sequence[str] | None) -> bool:
    """Whether a reader of `fields` (None: of everything) is hurt by the change; a rename meets under both names."""
    if fields is None or not change.fields:
        return True
    return any(meet(field, path) for field in fields for path in change.fields)


def affected(breaking: Sequence[Change], readers: Iterable[Reader], proposer: UUID) -> Affected:
    """The proposing team is never asked, and a team with several registrations is asked once, with all its reasons."""
    asked: dict[UUID, dict[str, None]] = {}
    present: set[UUID] = set()
    for reader in readers:
        if reader.team_id == proposer:
            continue
        present.add(reader.team_id)
        reasons = [change.fingerprint for change in breaking if touches(change, reader.fields)]
        if reasons:
            asked.setdefault(reader.team_id, {}).update(dict.fromkeys(reasons))
    order = dict.fromkeys(change.fingerprint for change in breaking)
    because = {team: tuple(one for one in order if one in reasons) for team, reasons in asked.items()}
    return Affected(asked=because, informed=frozenset(present - because.keys()))


def known_fields(wanted: Sequence[str], declared: Iterable[str]) -> None:
    """Raises Invalid for the first path the schema does not declare, with the nearest ones."""
    paths = list(declared)
    present = set(paths)
    for path in wanted:
        if path in present:
            continue
        near = _nearest(path, paths) or paths[:3]
        hint = f" Nearest: {', '.join(near)}." if near else " The schema declares no fields at all."
        raise Invalid(
            f"The active schema has no field {path!r}.{hint} Leave `fields` out to register for everything.",
            field=("fields",),
        )


def _nearest(path: str, paths: Sequence[str]) -> list[str]:
    """Similar ones; those of much the same letters first, because comparing is slow and a schema may be huge."""
    letters = set(path)
    likely = heapq.nsmallest(LIKELY, paths, key=lambda one: len(letters.symmetric_difference(one)))
    return difflib.get_close_matches(path[:LIKELY], likely, n=3, cutoff=0.5)
