"""Compare guarantees. A weaker one breaks consumers, and so does a change that can't be ranked.

Known sections: `freshness` (durations, less is stronger), `volume` (names with the first word `min` or `minimum`: more
is stronger; `max` or `maximum`: less is stronger), `nullability` (column to `"never"` or any weaker value),
`accepted_values` (column to its list of values) and `uniqueness` (columns, joined by commas, to any value: a set of
columns that contains a unique one is unique as well). All other sections, such as `custom`, map names to promises:
removed is weaker, added is stronger, different is changed. There, a promise under another name is the same, and one
that only warns (`severity: warn`) is no promise.
"""

import math
import re
from collections.abc import Iterator
from typing import cast

from tessera_gql.diff import (
    Certainty,
    Change,
    ChangeEvidence,
    ChangeKind,
    Json,
    SchemaError,
    canonical_json,
    guard,
    json_pointer,
)
from tessera_gql.policy.modes import JUDGING_MODES

WEAKENED, STRENGTHENED, CHANGED = (
    ChangeKind.GUARANTEE_WEAKENED,
    ChangeKind.GUARANTEE_STRENGTHENED,
    ChangeKind.GUARANTEE_CHANGED,
)
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
NEVER = ("never", "not_null")
WORD_PATTERN = re.compile("[A-Z]*[a-z]+|[A-Z]+")


def compare_guarantees(old: object, new: object) -> tuple[Change, ...]:
    """Compare two guarantee documents, each a JSON object or None. Raises `SchemaError` otherwise."""
    before, after = _read_sections(old, "old"), _read_sections(new, "new")
    changes = [
        change
        for section in sorted(before.keys() | after.keys())
        for change in _compare_section(section, before.get(section), after.get(section))
    ]
    return tuple(sorted(changes, key=lambda change: (change.pointer, change.kind.value)))


def _read_sections(document: object, side: str) -> dict[str, Json]:
    if document is None:
        return {}
    try:
        guard(document)
    except SchemaError as error:
        raise error.with_side(side) from None
    if not isinstance(document, dict):
        raise SchemaError("guarantees are a JSON object, one key per kind of promise; wrap them in one.", side=side)
    return cast("dict[str, Json]", document)


def _compare_section(section: str, old: Json, new: Json) -> Iterator[Change]:
    if canonical_json(old) == canonical_json(new):
        return
    if section == "custom":
        old, new = _leave_out_renamed(old, new)
    for name, before, after in [((), old, new)] if _is_single_promise(section, old, new) else _pair_promises(old, new):
        if _without_order(before) == _without_order(after) or _is_as_strong(section, name, before, after):
            continue
        if section == "uniqueness" and _is_implied(name, new if after is None else old):
            continue
        kind, document = _classify(section, name, before, after)
        yield _change(kind, (section, *name), _fields(section, name), (before, after), document)


def _leave_out_renamed(old: Json, new: Json) -> tuple[Json, Json]:
    """Leave out the promises that only change their name: dbt derives the names of tests from much beside them."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return old, new
    names_by_promise: dict[str, list[str]] = {}
    for name in sorted(new.keys() - old.keys()):
        names_by_promise.setdefault(canonical_json(new[name]), []).append(name)
    renamed = {
        name: names.pop(0)
        for name in sorted(old.keys() - new.keys())
        if (names := names_by_promise.get(canonical_json(old[name])))
    }
    left = {name: promise for name, promise in old.items() if name not in renamed}
    right = {name: promise for name, promise in new.items() if name not in renamed.values()}
    return left, right


def _is_implied(name: tuple[str, ...], keys: Json) -> bool:
    """Return whether a unique set of columns contains another one that stays unique."""
    if not name or not isinstance(keys, dict):
        return False
    columns = set(_split_columns(name[0]))
    return any(columns.issuperset(_split_columns(key)) for key in keys if key != name[0])


def _split_columns(key: str) -> list[str]:
    return [column.strip() for column in key.split(",")]


def _is_warning(promise: Json) -> bool:
    """Return whether a test of dbt fails no build."""
    severity = promise.get("severity") if isinstance(promise, dict) else None
    return isinstance(severity, str) and severity.lower() == "warn"


def _is_single_promise(section: str, old: Json, new: Json) -> bool:
    """Return whether the section is one promise (a duration or a list of values), not a map of promises."""
    if section == "freshness":
        return _duration_seconds(old) is not None or _duration_seconds(new) is not None
    return section == "accepted_values" and (isinstance(old, list) or isinstance(new, list))


def _pair_promises(old: Json, new: Json) -> Iterator[tuple[tuple[str, ...], Json, Json]]:
    """Yield (name, before, after), None for absent. Objects by key, lists by value, other values as a whole."""
    match old, new:
        case (dict() | None, dict() | None):
            left, right = old or {}, new or {}
            for name in sorted(left.keys() | right.keys()):
                yield (name,), left.get(name), right.get(name)
        case (list() | None, list() | None):
            left, right = ({canonical_json(item): item for item in side or []} for side in (old, new))
            for name in sorted(left.keys() ^ right.keys()):
                yield (name,), left.get(name), right.get(name)
        case _:
            yield (), old, new


def _is_as_strong(section: str, name: tuple[str, ...], before: Json, after: Json) -> bool:
    """Return whether two spellings mean the same: 60 minutes and an hour, or no minimum and a minimum of 0."""
    match section:
        case "freshness":
            return _duration_seconds(before) is not None and _duration_seconds(before) == _duration_seconds(after)
        case "nullability":
            return before in NEVER and after in NEVER
        case "volume" if _is_minimum(_label(section, name)):
            return before in (None, 0) and after in (None, 0)
        case _:
            return False


def _is_minimum(label: str) -> bool:
    return _first_word(label) in ("min", "minimum")


def _first_word(name: str) -> str:
    """Return the first word of a name in lower case: `min` of `min_rows` and `minRows`, but not of `minutes`."""
    return next(iter(WORD_PATTERN.findall(name)), "").lower()


def _label(section: str, name: tuple[str, ...]) -> str:
    return name[0] if name else section


def _without_order(value: Json) -> str | list[str]:
    return sorted({canonical_json(item) for item in value}) if isinstance(value, list) else canonical_json(value)


def _classify(section: str, name: tuple[str, ...], before: Json, after: Json) -> tuple[ChangeKind, Json]:
    """Return the kind of change, and a document that only the new promise allows, or None."""
    label = _label(section, name)
    match section:
        case "freshness":
            return _classify_limit(_duration_seconds(before), _duration_seconds(after), (before, after), "age_seconds")
        case "volume" if _is_minimum(label):
            kind, rows = _classify_limit(_negative(before), _negative(after), (before, after), "rows")
            return kind, {"rows": after or 0} if rows else None
        case "volume" if _first_word(label) in ("max", "maximum"):
            return _classify_limit(_number(before), _number(after), (before, after), "rows")
        case "nullability":
            return _classify_nullability(label, before, after)
        case "accepted_values":
            return _classify_accepted_values(label, before, after)
        case _:
            return _classify_presence(before, after), None


def _classify_presence(before: Json, after: Json) -> ChangeKind:
    if after is None:
        return WEAKENED
    return STRENGTHENED if before is None else CHANGED


def _classify_limit(old: float | None, new: float | None, raw: tuple[Json, Json], unit: str) -> tuple[ChangeKind, Json]:
    if (old is None and raw[0] is not None) or (new is None and raw[1] is not None):
        return _classify_presence(*raw), None
    left, right = (math.inf if side is None else side for side in (old, new))
    if right < left:
        return STRENGTHENED, None
    return WEAKENED, {unit: math.floor(left) + 1 if right == math.inf else right}


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _negative(value: Json) -> float | None:
    number = _number(value)
    return None if number is None else -number


def _duration_seconds(value: Json) -> float | None:
    """Parse `{"count": 12, "period": "hour"}` (the spelling of dbt) or a bare number."""
    match value:
        case {"count": count, "period": str() as period, **unknown_keys} if not unknown_keys:
            number, unit = _number(count), SECONDS.get(period.removesuffix("s"))
            if number is None or unit is None:
                return None
            return (int(number) if number == int(number) else number) * unit
        case _:
            return _number(value)


def _classify_nullability(column: str, before: Json, after: Json) -> tuple[ChangeKind, Json]:
    if before in NEVER:
        return WEAKENED, {column: None}
    return (STRENGTHENED if after in NEVER else _classify_presence(before, after)), None


def _classify_accepted_values(column: str, before: Json, after: Json) -> tuple[ChangeKind, Json]:
    if not isinstance(before, list) or not isinstance(after, list):
        return _classify_presence(before, after), None
    old_texts = {canonical_json(value) for value in before}
    extra = [value for value in after if canonical_json(value) not in old_texts]
    return (WEAKENED, {column: extra[0]}) if extra else (STRENGTHENED, None)


def _fields(section: str, name: tuple[str, ...]) -> tuple[str, ...]:
    """The fields of a promise: its column, or the root for promises about rows, age or keys."""
    return name if name and section in ("nullability", "accepted_values") else ("",)


def _change(
    kind: ChangeKind, segments: tuple[str, ...], fields: tuple[str, ...], sides: tuple[Json, Json], document: Json
) -> Change:
    before, after = sides
    if segments[0] == "accepted_values" and isinstance(before, list) and isinstance(after, list):
        sides = _exclude(before, after), _exclude(after, before)
    is_warning = kind is not STRENGTHENED and segments[0] == "custom" and _is_warning(before)
    note = "; it only warned" if is_warning else ""
    verbs = {WEAKENED: "promises less", STRENGTHENED: "promises more", CHANGED: "promises something else"}
    evidence = ChangeEvidence(Certainty.PROVEN if document is not None else Certainty.UNPROVEN, document)
    return Change(
        kind=kind,
        pointer=json_pointer(*segments),
        path=".".join(segments),
        fields=fields,
        before=sides[0],
        after=sides[1],
        breaks=frozenset() if kind is STRENGTHENED or is_warning else JUDGING_MODES,
        message=f"The guarantee {' '.join(segments)} {verbs[kind]} than before{note}.",
        evidence=lambda: evidence,
    )


def _exclude(items: list[Json], other_items: list[Json]) -> Json:
    other_texts = {canonical_json(item) for item in other_items}
    return [item for item in items if canonical_json(item) not in other_texts]
