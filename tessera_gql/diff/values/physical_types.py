"""The physical type of a column or field: its type in the warehouse, the value of the keyword `x-physical-type`.

JSON Schema says which values a column holds, not how they are stored: `varchar(10)` and `varchar(100)` are both
strings. The keyword adds that, as `{"family": "text", "length": 10, "text": "varchar(10)"}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import cast

from tessera_gql.diff.values.json import Json, canonical_json

KEYWORD = "x-physical-type"
MAX_DEPTH = 32
MAX_SIZES = {"bits": 4_096, "precision": 1_000, "scale": 1_000, "length": 2**40}
"""The largest sizes that are read. The range of an integer is computed from its bits or digits."""


class Family(StrEnum):
    """A family of types with the same kind of values. An engine converts within a family without a change of values."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    TEXT = "text"
    BINARY = "binary"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    JSON = "json"
    GEOGRAPHY = "geography"
    ARRAY = "array"
    STRUCT = "struct"
    MAP = "map"


FAMILIES = {family.value: family for family in Family}
CONTAINERS = frozenset({Family.ARRAY, Family.STRUCT, Family.MAP})


@dataclass(frozen=True, slots=True)
class PhysicalType:
    """A type of a warehouse. A size that is None has no limit; `family` is None if the type is not understood.

    An array, struct or map may leave out the types in it. The schema then has them in its subschemas.
    """

    family: Family | None
    text: str = ""
    """The spelling, in lower case."""
    bits: int | None = None
    """The size of an integer or a float."""
    unsigned: bool = False
    precision: int | None = None
    """The digits of an integer that is stored as a decimal, and of a decimal; those of a fraction of a second."""
    scale: int | None = None
    length: int | None = None
    """The length of a text, of bytes or of an array. Only the length of an array is fixed."""
    unicode: bool = True
    """Whether a text holds all characters, and not those of one code page."""
    timezone: str | None = None
    """How a time relates to a time zone: `with`, `without` or `local` (the time zone of the session)."""
    element: "PhysicalType | None" = None
    key: "PhysicalType | None" = None
    value: "PhysicalType | None" = None
    fields: "tuple[tuple[str, PhysicalType], ...] | None" = None

    def as_json(self) -> dict[str, Json]:
        """Return the value of the keyword, without attributes that have their default."""
        record: dict[str, Json] = {}
        for attribute, default in DEFAULTS.items():
            setting = getattr(self, attribute)
            if setting != default:
                record[attribute] = setting.as_json() if isinstance(setting, PhysicalType) else setting
        if self.fields is not None:
            record["fields"] = {name: field.as_json() for name, field in self.fields}
        return {**({} if self.family is None else {"family": self.family.value}), **record, "text": self.text}


DEFAULTS = {
    field.name: field.default for field in fields(PhysicalType) if field.name not in {"family", "text", "fields"}
}


def read_physical_type(value: object, depth: int = 0) -> PhysicalType | None:
    """Read the value of the keyword, None if it is absent. A value of another form is a type that is not understood."""
    if value is None:
        return None
    not_understood = PhysicalType(None, value if isinstance(value, str) else canonical_json(cast("Json", value)))
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return not_understood
    record = cast("Mapping[str, object]", value)
    text, family = record.get("text", ""), record.get("family")
    if family is None and not text and record.keys() <= {"text"}:
        return None
    if not isinstance(text, str) or (family is None and not text):
        return not_understood
    if family is None:
        return PhysicalType(None, text)
    try:
        return PhysicalType(
            FAMILIES[cast("str", family)],
            text,
            bits=_read_size(record, "bits"),
            unsigned=_read_flag(record, "unsigned", default=False),
            precision=_read_size(record, "precision"),
            scale=_read_size(record, "scale"),
            length=_read_size(record, "length"),
            unicode=_read_flag(record, "unicode", default=True),
            timezone=_read_timezone(record),
            element=_read_part(record, "element", depth),
            key=_read_part(record, "key", depth),
            value=_read_part(record, "value", depth),
            fields=_read_fields(record, depth),
        )
    except (_FormError, KeyError, TypeError):  # an unknown family, also one that is no text
        return not_understood


class _FormError(ValueError):
    """An attribute of a physical type has a value of another form."""


def _read_size(record: Mapping[str, object], attribute: str) -> int | None:
    size = record.get(attribute)
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or abs(size) > MAX_SIZES[attribute]:
        raise _FormError
    if size < 0 and attribute != "scale":  # Oracle and PostgreSQL round to tens with a negative scale
        raise _FormError
    return size


def _read_flag(record: Mapping[str, object], attribute: str, *, default: bool) -> bool:
    flag = record.get(attribute, default)
    if not isinstance(flag, bool):
        raise _FormError
    return flag


def _read_timezone(record: Mapping[str, object]) -> str | None:
    timezone = record.get("timezone")
    if timezone is not None and not isinstance(timezone, str):
        raise _FormError
    return timezone


def _read_part(record: Mapping[str, object], attribute: str, depth: int) -> PhysicalType | None:
    part = record.get(attribute)
    return None if part is None else _read_required(part, depth)


def _read_required(value: object, depth: int) -> PhysicalType:
    part = read_physical_type(value, depth + 1)
    if part is None:
        raise _FormError
    return part


def _read_fields(record: Mapping[str, object], depth: int) -> tuple[tuple[str, PhysicalType], ...] | None:
    parts = record.get("fields")
    if parts is None:
        return None
    if not isinstance(parts, dict):
        raise _FormError
    items = cast("Mapping[str, object]", parts).items()
    return tuple((name, _read_required(part, depth)) for name, part in sorted(items))
