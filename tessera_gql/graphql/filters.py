"""Filters: all that is given is AND-ed; what is left out does not count, and an explicit null is refused."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.errors import camel
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.scalars import text
from tessera_gql.store.page import Condition

E = TypeVar("E")


def given(value: Any) -> Any:
    """The value, None if it was left out."""
    return None if value is UNSET else value


def kept(value: Any, name: str) -> Any:
    """The value, None if it was left out to keep what is there; raises Invalid for an explicit null."""
    if value is None:
        raise Invalid(f"`{camel(name)}` can't be null. Leave it out to keep what is there.", field=(name,))
    return given(value)


def optional(description: str, *, name: str | None = None) -> Any:
    """An input field that may be left out."""
    return strawberry.field(default=UNSET, description=description, name=name)


def by(column: str, description: str, *, kind: str | None = None) -> Any:
    """A field of a filter: the column it looks at, and what type an id there belongs to."""
    return strawberry.field(default=UNSET, description=description, metadata={"column": column, "kind": kind})


@strawberry.input(description="Compares text.")
class StringFilter:
    eq: str | None = optional("Exactly this.")
    in_: list[str] | None = optional("Any of these.", name="in")
    contains: str | None = optional("Has this in it, whatever the case.")


@strawberry.input(description="Compares ids.")
class IdFilter:
    eq: strawberry.ID | None = optional("Exactly this.")
    in_: list[strawberry.ID] | None = optional("Any of these.", name="in")


@strawberry.input(description="Compares moments.")
class DateTimeFilter:
    gte: datetime | None = optional("At this moment or later.")
    lt: datetime | None = optional("Before this moment.")


@strawberry.input(name="Filter", description="Compares values of a fixed set.")
class EnumFilter(Generic[E]):
    eq: E | None = optional("Exactly this.")
    in_: list[E] | None = optional("Any of these.", name="in")


def conditions(where: Any) -> tuple[Condition, ...]:
    """A noun's filter as conditions on its columns; raises Invalid."""
    return tuple(
        condition
        for field in dataclasses.fields(where)
        if (part := getattr(where, field.name)) is not UNSET
        for condition in _compared(field, part)
    )


def _compared(field: Any, part: Any) -> Iterator[Condition]:
    if part is None:
        raise Invalid(f"The filter `{field.name}` is null. Leave it out to accept everything.", field=("filter",))
    for operator in dataclasses.fields(part):
        value = getattr(part, operator.name)
        if value is UNSET:
            continue
        name = operator.name.rstrip("_")
        if value is None:
            raise Invalid(f"`{name}` is null in a filter. Leave it out to accept everything.", field=("filter",))
        yield Condition(field.metadata["column"], name, _plain(value, field.metadata["kind"]))


def _plain(value: Any, kind: str | None) -> Any:
    match value:
        case list():
            return tuple(_plain(one, kind) for one in value)  # pyright: ignore[reportUnknownVariableType]
        case Enum():
            return value
        case str() if kind:
            return local_id(value, kind, field=("filter",))
        case str():
            return text(value, "filter")
        case _:
            return value
