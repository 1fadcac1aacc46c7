"""Filter inputs. All given conditions must hold; one that is left out is ignored, and an explicit null is an error."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.errors import to_camel_case
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.scalars import check_text
from tessera_gql.store.conditions import Condition

E = TypeVar("E")


def or_none(value: Any) -> Any:
    """Return the value, or None if it was left out."""
    return None if value is UNSET else value


def or_keep(value: Any, name: str) -> Any:
    """Return the value, or None if it was left out to keep the current one. Raise Invalid for an explicit null."""
    if value is None:
        raise Invalid(f"`{to_camel_case(name)}` can't be null. Leave it out to keep what is there.", field=(name,))
    return or_none(value)


def optional(description: str, *, name: str | None = None) -> Any:
    """Declare an input field that may be left out."""
    return strawberry.field(default=UNSET, description=description, name=name)


def flag(description: str) -> Any:
    """Declare an input field that is false if it is left out."""
    return strawberry.field(default=False, description=description)


def filter_by(column: str, description: str, *, type_name: str | None = None) -> Any:
    """Declare a field of a filter on a column; `type_name` is the type whose global ids it accepts."""
    return strawberry.field(default=UNSET, description=description, metadata={"column": column, "type_name": type_name})


def filter_by_archive(description: str) -> Any:
    """Declare a field of a filter that selects the archived rows, or the others; those are the default."""
    return strawberry.field(
        default=UNSET, description=description, metadata={"column": "archived_at", "default": False}
    )


@strawberry.input(description="Conditions on a text; it must meet all of them.")
class StringFilter:
    eq: str | None = optional("Accept only exactly this value.")
    in_: list[str] | None = optional("Accept any of these values.", name="in")
    contains: str | None = optional("Accept texts that contain this one, ignoring case.")


@strawberry.input(description="Conditions on an id; it must meet all of them.")
class IdFilter:
    eq: strawberry.ID | None = optional("Accept only exactly this value.")
    in_: list[strawberry.ID] | None = optional("Accept any of these values.", name="in")


@strawberry.input(description="Conditions on a time; it must meet all of them.")
class DateTimeFilter:
    gte: datetime | None = optional("Accept this time or later.")
    lt: datetime | None = optional("Accept only times before this one.")


@strawberry.input(description="A condition on whether an asset is deprecated as a whole.")
class DeprecatedFilter:
    deprecated: bool | None = optional("Accept only deprecated assets, or only others.", name="eq")


@strawberry.input(description="A condition on a value that is true or false.")
class BooleanFilter:
    eq: bool | None = optional("Accept only exactly this value.")


@strawberry.input(name="Filter", description="Conditions on an enum value; it must meet all of them.")
class EnumFilter(Generic[E]):
    eq: E | None = optional("Accept only exactly this value.")
    in_: list[E] | None = optional("Accept any of these values.", name="in")


def to_conditions(filter_input: Any) -> tuple[Condition, ...]:
    """Convert a filter input into conditions on columns. Raise Invalid for nulls and bad ids."""
    parts = (
        (field, field.metadata.get("default", UNSET) if (part := getattr(filter_input, field.name)) is UNSET else part)
        for field in dataclasses.fields(filter_input)
    )
    return tuple(
        condition for field, part in parts if part is not UNSET for condition in _field_conditions(field, part)
    )


def _field_conditions(field: Any, comparison: Any) -> Iterator[Condition]:
    if comparison is None:
        raise Invalid(f"The filter `{field.name}` is null. Leave it out to accept everything.", field=("filter",))
    if isinstance(comparison, bool):
        yield Condition(field.metadata["column"], "is_set", comparison)
        return
    for operator in dataclasses.fields(comparison):
        value = getattr(comparison, operator.name)
        if value is UNSET:
            continue
        name = operator.name.rstrip("_")
        if value is None:
            raise Invalid(f"`{name}` is null in a filter. Leave it out to accept everything.", field=("filter",))
        yield Condition(field.metadata["column"], name, _to_column_value(value, field.metadata["type_name"]))


def _to_column_value(value: Any, type_name: str | None) -> Any:
    match value:
        case list():
            return tuple(_to_column_value(item, type_name) for item in value)  # pyright: ignore[reportUnknownVariableType]
        case Enum():
            return value
        case str() if type_name:
            return local_id(value, type_name, field=("filter",))
        case str():
            return check_text(value, "filter")
        case _:
            return value
