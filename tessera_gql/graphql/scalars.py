"""Scalars of the schema. Values that a database can't store are refused here, before any query runs."""

import re
from datetime import UTC, datetime
from typing import Any, NewType, cast

from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition, scalar

from tessera_gql.errors import Invalid
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.formats.storage_faults import find_storage_fault

JSON = NewType("JSON", object)
Url = NewType("Url", str)


RFC3339_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def check_text(value: str, name: str) -> str:
    """Return the text of an argument unchanged. Raise Invalid if a database can't store it."""
    if fault := find_storage_fault(value):
        raise Invalid(f"`{name}` can't be looked for: {fault}.", field=(name,))
    return value


def _parse_json(value: Any) -> JSON:
    if isinstance(value, RawJson):
        return JSON(value)
    if fault := find_storage_fault(value):
        raise GraphQLError(f"This JSON can't be kept: {fault}.")
    return JSON(value)


def _parse_url(value: Any) -> Url:
    """Accept any string: the mutations validate URLs with a better error than a scalar can give."""
    if not isinstance(value, str):
        raise GraphQLError("A URL is written as a string: https://example.com/hook.")
    return Url(value)


def _parse_datetime(value: Any) -> datetime:
    problem = (
        "A DateTime is written as in RFC 3339, with its offset: 2026-03-01T09:30:00Z or 2026-03-01T10:30:00+01:00."
    )
    if not isinstance(value, str) or not RFC3339_DATETIME.fullmatch(value):
        raise GraphQLError(problem)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(f"There is no such moment. {problem}") from None


def _serialize_datetime(value: Any) -> str:
    return cast("datetime", value).astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


SCALARS: dict[object, ScalarDefinition] = {
    JSON: scalar(
        name="JSON",
        description="Any JSON value, as itself and not as a string of JSON.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        parse_value=_parse_json,
    ),
    Url: scalar(
        name="URL",
        description="An absolute URL, such as https://example.com/hook.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3986",
        parse_value=_parse_url,
    ),
    datetime: scalar(
        name="DateTime",
        description="A time in the format of RFC 3339, always with an offset. The server returns times in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_serialize_datetime,
        parse_value=_parse_datetime,
    ),
}
