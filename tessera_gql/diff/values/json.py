"""JSON values and their equality. Unlike in Python, `1` and `true` differ; `1` and `1.0` are equal."""

import hashlib
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, cycle, product
from typing import TypeAlias, cast

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MISSING = object()
MAX_EXACT_FLOAT = 1 << 53
INDEX = re.compile("[0-9]{1,8}")
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: object) -> str:
    """Serialize to a text that is equal exactly when the values are: sorted keys, no whitespace, `1.0` as `1`."""
    return ENCODER.encode(value if isinstance(value, str) else normalize_numbers(value))


def compute_digest(value: object) -> str:
    """Hash the canonical text of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def normalize_numbers(value: object) -> object:
    """Convert all whole numbers in a value to int."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [normalize_numbers(item) for item in value]
        case dict():
            return {key: normalize_numbers(item) for key, item in value.items()}
        case _:
            return value


def to_json_number(value: float | Fraction) -> int | float:
    """Convert an exact number to a JSON number; whole numbers of any size become an int."""
    if Fraction(value).denominator == 1:
        return int(value)
    try:
        return float(value)
    except OverflowError:  # too large for a float, so the fraction is insignificant
        return int(value)


def with_decimal_points(value: Json) -> Json:
    """Write all whole numbers in a value with a decimal point, as `1.0`, if a float holds them exactly."""
    return _spell_numbers(value, cycle((True,)))


def list_spellings(value: Json, limit: int) -> list[Json] | None:
    """Return the equal values whose whole numbers have a decimal point or none; None if there are more than the limit.

    A number that a float does not hold exactly has one spelling.
    """
    counter = count()
    _spell_numbers(value, map(bool, counter))
    whole_numbers = next(counter)
    if 2**whole_numbers > limit:
        return None
    choices = product((False, True), repeat=whole_numbers)
    return [_spell_numbers(value, iter(choice)) for choice in choices]


def _spell_numbers(value: Json, choices: Iterator[bool]) -> Json:
    """Write each whole number with a decimal point if the next choice says so."""
    match value:
        case bool():
            return value
        case int() | float() if abs(value) <= MAX_EXACT_FLOAT and value == int(value):
            return float(value) if next(choices) else int(value)
        case list():
            return [_spell_numbers(item, choices) for item in value]
        case dict():
            return {key: _spell_numbers(item, choices) for key, item in value.items()}
        case _:
            return value


def is_equal(left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return canonical_json(left) == canonical_json(right)


def escape_token(token: str) -> str:
    """Escape one reference token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1") if "~" in token or "/" in token else token


def json_pointer(*tokens: str | int) -> str:
    """Build a JSON pointer (RFC 6901): `json_pointer("properties", "a/b")` is `/properties/a~1b`."""
    return "".join("/" + escape_token(str(token)) for token in tokens)


def split_pointer(pointer: str) -> list[str]:
    """Return the unescaped tokens of a JSON pointer."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def resolve_pointer(value: object, pointer: str) -> object:
    """Return the value at a pointer, or `MISSING`."""
    for token in split_pointer(pointer):
        if isinstance(value, dict):
            value = cast("dict[str, object]", value).get(token, MISSING)
        elif isinstance(value, list) and INDEX.fullmatch(token):
            items = cast("list[object]", value)
            value = items[int(token)] if int(token) < len(items) else MISSING
        else:
            return MISSING
    return value
