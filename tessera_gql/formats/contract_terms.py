"""Collect the terms of a table from a YAML data contract: keywords of its columns, and guarantees beside the schema."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tessera_gql.diff import SchemaError, check
from tessera_gql.formats.storage_faults import find_storage_fault
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson, Warnings
from tessera_gql.formats.warehouse_types import allow_null

CONSTRAINT_KEYWORDS = frozenset(
    "minLength maxLength pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems"  # noqa: SIM905
    " uniqueItems minProperties maxProperties".split()
)
BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_MAX_DEPTH = 30
_PERIODS = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour", "hr": "hour"} | {
    "d": "day",
    "w": "week",
    **{period: period for period in ("second", "minute", "hour", "day", "week")},
}
_DURATION_PATTERN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]+)")
_ISO_DURATION_PATTERN = re.compile(r"p(?:([0-9]{1,9})([dw])|t([0-9]{1,9})([hms]))")
_ISO_PERIODS = {"d": "day", "w": "week", "h": "hour", "m": "minute", "s": "second"}


class ContractTerms:
    """The guarantees and warnings of one table, collected while its columns are read.

    The sections are those of `formats.dbt_tests`, and `bounds` of dates, `quality` and `sla` as their documents have
    them.
    """

    def __init__(self) -> None:
        self.warnings = Warnings()
        self._sections: dict[str, JsonObject] = {}

    def promise(self, section: str, name: str, value: Any) -> None:
        """Add a promise. One that has the name of another gets a number, so that none is lost."""
        if find_storage_fault(value) is not None:
            self.warnings.add(f"An entry of `{section}` can't be stored and was left out", name)
            return
        promises = self._sections.setdefault(section, {})
        unique_name, number = name, 1
        while unique_name in promises and promises[unique_name] != value:
            number += 1
            unique_name = f"{name} {number}"
        promises[unique_name] = value

    def promise_unique(self, columns: Iterable[str]) -> None:
        if names := list(columns):
            self.promise("uniqueness", ", ".join(names), "always")

    @property
    def guarantees(self) -> JsonObject | None:
        return self._sections or None


def check_depth(depth: int) -> int:
    """Return the depth of a nested column. Raises ValueError if it is too large."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"columns are nested deeper than {_MAX_DEPTH} levels")
    return depth


def add_column(schema: JsonObject, name: str, column_schema: JsonObject, *, is_required: bool) -> None:
    """Add a column to an object schema. One that is not required is nullable and optional."""
    if is_required:
        schema["required"].append(name)
    schema["properties"][name] = column_schema if is_required else allow_null(column_schema)


def read_keywords(options: UntrustedJson, path: str, schema: JsonObject, terms: ContractTerms) -> JsonObject:
    """Return the keywords that `schema`, that of a column's type, lacks. Bounds that are texts become a guarantee.

    JSON Schema has bounds of numbers only; a contract may have those of dates.
    """
    keywords: JsonObject = {}
    bounds: JsonObject = {}
    for key, value in options.value.items():
        if key not in CONSTRAINT_KEYWORDS or value is None:
            continue
        if key in BOUNDS and isinstance(value, str):
            bounds[key] = value
        elif _is_valid({key: value}):
            keywords[key] = value
        else:
            terms.warnings.add(f"`{key}` has a value that JSON Schema does not allow and was left out", path)
    if bounds:
        terms.promise("bounds", path, bounds)
    has_own_format = schema.get("type") == "string" and "format" not in schema
    text_format = options.text("format") if has_own_format else None
    return keywords | ({"format": text_format} if text_format else {})


def read_enum(values: Iterable[Any], path: str, terms: ContractTerms) -> JsonObject:
    """Return the keyword of a column's allowed values, which may not be null."""
    keyword = {"enum": [value for value in values if value is not None]}
    if not keyword["enum"]:
        return {}
    if _is_valid(keyword):
        return keyword
    terms.warnings.add("`enum` has values that JSON Schema does not allow and was left out", path)
    return {}


def _is_valid(schema: JsonObject) -> bool:
    try:
        check(schema)
    except SchemaError:
        return False
    return True


def parse_duration(text: object, unit: str | None = None) -> JsonObject | None:
    """Parse `25h`, `24 hours`, `PT24H`, or a number with its unit, to a duration as in guarantees; else return None."""
    spelling = f"{text} {unit}" if unit is not None else str(text)
    spelling = " ".join(spelling.lower().split())
    if match := _ISO_DURATION_PATTERN.fullmatch(spelling):
        count, period = match[1] or match[3], _ISO_PERIODS[match[2] or match[4]]
    elif (match := _DURATION_PATTERN.fullmatch(spelling)) and (period := _find_period(match[2])):
        count = match[1]
    else:
        return None
    number = float(count)
    return {"count": int(number) if number.is_integer() else number, "period": period}


def _find_period(unit: str) -> str:
    return _PERIODS.get(unit) or _PERIODS.get(unit.removesuffix("s"), "")


def without(values: Mapping[str, Any], keys: Iterable[str]) -> JsonObject:
    """Return the entries that are not null, without those of some keys."""
    left_out = set(keys)
    return {key: value for key, value in values.items() if value is not None and key not in left_out}
