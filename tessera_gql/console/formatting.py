"""Format times, names and values for people; the filters and functions of the templates."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

SOON = timedelta(days=3)
MAX_VALUE_LENGTH = 160
MAX_JSON_LENGTH = 1_500
REMOVED_KINDS = frozenset({"PROPERTY_REMOVED", "ENUM_VALUES_REMOVED", "DEFAULT_REMOVED", "ASSET_RETIRED"})
ADDED_KINDS = frozenset({"PROPERTY_ADDED", "DEFAULT_ADDED"})

CONTAINERS = (dict, list)


def parse_time(value: str | datetime) -> datetime:
    """Return a time of the API as a datetime in UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC)


def format_utc(value: str | datetime) -> str:
    """Format a time exactly: `2026-03-05 17:00:00 UTC`."""
    return f"{parse_time(value):%Y-%m-%d %H:%M:%S} UTC"


def format_day(value: str | datetime, now: datetime) -> str:
    """Format the day of a time: `Thu 5 Mar`, with the year if it is not this one."""
    moment = parse_time(value)
    text = f"{moment:%a} {moment.day} {moment:%b}"
    return text if moment.year == now.astimezone(UTC).year else f"{text} {moment.year}"


def format_coming_day(now: datetime, days: int) -> str:
    """Format the day that comes after a number of days, as a field for a date takes it."""
    return f"{now + timedelta(days=days):%Y-%m-%d}"


def format_relative(value: str | datetime, now: datetime) -> str:
    """Format the distance of a time from now: `in 9 days`, `2 h ago`."""
    distance = parse_time(value) - now
    seconds = abs(distance.total_seconds())
    if seconds < 60:
        return "now"
    amounts = ((86_400, "day"), (3_600, "h"), (60, "min"))
    size, unit = next(amount for amount in amounts if seconds >= amount[0])
    count = int(seconds // size)
    text = f"{count} {unit}{'s' if unit == 'day' and count != 1 else ''}"
    return f"in {text}" if distance > timedelta(0) else f"{text} ago"


def find_due_tone(value: str | datetime, now: datetime) -> str:
    """Return how close a date is: `late`, `soon` within three days, or empty."""
    distance = parse_time(value) - now
    return "late" if distance < timedelta(0) else "soon" if distance <= SOON else ""


def split_fqn(fqn: str) -> tuple[str, str]:
    """Split a fully qualified name into what stands before the last name, with its dot, and the last name."""
    head, dot, name = fqn.rpartition(".")
    return head + dot, name


def break_name(name: str) -> list[str]:
    """Split a long name into parts behind its dots and underscores, where it may break."""
    return [part for part in re.split(r"(?<=[._])", name) if part]


def format_total(connection: Mapping[str, Any]) -> str:
    """Write the number of items of a list, with a `+` if there are more than are counted."""
    return f"{connection['totalCount']:,}{'' if connection['isTotalCountExact'] else '+'}"


def shorten(text: str, length: int = MAX_VALUE_LENGTH) -> str:
    """Cut a long text, with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def format_type(value: Any) -> str:
    """Format one side of a change: the type of a column with its presence, or any other value as short JSON."""
    if value is None:
        return ""
    if isinstance(value, Mapping) and isinstance(value.get("type"), str):
        required = value.get("required")
        presence = "" if required is None else ", always there" if required else ", may be missing"
        return shorten(f"{value['type']}{presence}")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return shorten(", ".join(value))
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def format_json(value: Any) -> str:
    """Format a JSON value on several lines, cut if it is long."""
    return shorten(json.dumps(value, ensure_ascii=False, indent=2), MAX_JSON_LENGTH)


def format_term(name: str) -> str:
    """Format the name of an enum's value as words: `PROPERTY_REMOVED` as `property removed`."""
    return name.lower().replace("_", " ")


def find_sign(change: Mapping[str, Any], *, is_breaking: bool) -> str:
    """Return the class of a line of a diff: removed, renamed or changed with a break, added, or without effect."""
    if is_breaking:
        return "rem" if change["kind"] in REMOVED_KINDS else "ren"
    return "add" if change["kind"] in ADDED_KINDS else ""


def collect_team_names(value: Any) -> dict[str, str]:
    """Return the names of all teams and projects in a reply, by id; keys, which have a prefix, are left out."""
    names: dict[str, str] = {}
    parts = [value] if isinstance(value, CONTAINERS) else []
    for part in parts:
        members: Iterable[Any] = part
        if isinstance(part, dict):
            members = part.values()
            name, identity = part.get("name"), part.get("id")
            if isinstance(name, str) and isinstance(identity, str) and "prefix" not in part:
                names[identity] = name
        parts += [member for member in members if isinstance(member, CONTAINERS)]
    return names


def list_team_names(data: Any) -> list[str]:
    """List the names of the teams of a page, those of its content before those that only its selections have."""
    parts = data if isinstance(data, Mapping) else {}
    content = {name: part for name, part in parts.items() if name != "teams"}
    return [*dict.fromkeys([*_list_names(content), *_list_names(parts.get("teams"))])]


def _list_names(part: Any) -> list[str]:
    return sorted({*collect_team_names(part).values()})


def mark_terms(text: str, terms: list[str]) -> list[tuple[str, bool]]:
    """Split a text into parts, each with whether it is one of the searched terms, ignoring case."""
    parts: list[tuple[str, bool]] = []
    folded, position = text.lower(), 0
    if len(folded) != len(text):
        return [(text, False)]
    while position < len(text):
        starts = [(folded.find(term.lower(), position), -len(term)) for term in terms if term]
        match = min((start for start in starts if start[0] >= 0), default=None)
        if match is None:
            break
        start, end = match[0], match[0] - match[1]
        parts += [(text[position:start], False), (text[start:end], True)]
        position = end
    return [part for part in [*parts, (text[position:], False)] if part[0]]


def pair_asked_teams(asked: list[Any]) -> dict[str, tuple[list[Any], int]]:
    """Return the asked teams of an impact, and how many they are, by the fingerprint of each change."""
    teams: dict[str, list[Any]] = {}
    for item in asked:
        for change in item["because"]:
            teams.setdefault(change["fingerprint"], []).append(item["team"])
    return {fingerprint: (items, len(items)) for fingerprint, items in teams.items()}


def pair_hurt_teams(change: Mapping[str, Any]) -> tuple[str, tuple[list[Any], int]]:
    """Return the fingerprint of a breaking change, the first teams that it hurts, and how many it hurts."""
    return change["fingerprint"], (change["teams"], change["teamCount"])
