"""Filter inputs. All given conditions must hold; one that is left out is ignored, and an explicit null is an error.

`or` has further filters of which one must be met, `not` one that must not be met; `filter_input` adds both to a class.
"""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.errors import to_camel_case
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.scalars import check_text
from tessera_gql.store.conditions import AnyCondition, Combination, Condition, list_leaves

E = TypeVar("E")
T = TypeVar("T")

MAX_CONDITIONS = 50
"""Conditions in one filter, those within `or` and `not` included."""


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


def filter_input(description: str) -> Callable[[type[T]], type[T]]:
    """Declare a class as the filter of a list, and add the fields `or` and `not` to it."""

    def decorate(class_: type[T]) -> type[T]:
        class_.__annotations__ |= {"or_": f"list[{class_.__name__}] | None", "not_": f"{class_.__name__} | None"}
        any_of = optional("Accept what meets one of these filters at least; nothing if the list is empty.", name="or")
        none_of = optional("Accept only what does not meet this filter.", name="not")
        class_.or_, class_.not_ = any_of, none_of  # type: ignore[attr-defined]
        return strawberry.input(class_, description=description)

    return decorate


def filter_by(column: str, description: str, *, type_name: str | None = None, related: str = "") -> Any:
    """Declare a field of a filter on a column; `type_name` is the type whose global ids it accepts.

    With `related`, it is on the value of the related rows with this name, whose key is the column.
    """
    metadata = {"column": column, "type_name": type_name, "related": related}
    return strawberry.field(default=UNSET, description=description, metadata=metadata)


def filter_by_existence(related: str, description: str) -> Any:
    """Declare a field of a filter on whether there are related rows with this name."""
    metadata = {"column": "id", "related": related, "is_existence": True}
    return strawberry.field(default=UNSET, description=description, metadata=metadata)


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
    starts_with: str | None = optional("Accept texts that start with this one, ignoring case.")


@strawberry.input(description="Conditions on names of which a thing has several; one name must meet all of them.")
class NameFilter:
    eq: str | None = optional("Accept only this name, ignoring case.")
    in_: list[str] | None = optional("Accept any of these names, ignoring case.", name="in")
    starts_with: str | None = optional("Accept names that start with this text, ignoring case.")


@strawberry.input(description="Conditions on an id; it must meet all of them.")
class IdFilter:
    eq: strawberry.ID | None = optional("Accept only exactly this value.")
    in_: list[strawberry.ID] | None = optional("Accept any of these values.", name="in")


@strawberry.input(description="Conditions on a time; it must meet all of them.")
class DateTimeFilter:
    gte: datetime | None = optional("Accept this time or later.")
    lt: datetime | None = optional("Accept only times before this one.")


@strawberry.input(description="A condition on a value that is true or false.")
class BooleanFilter:
    eq: bool | None = optional("Accept only exactly this value.")


@strawberry.input(name="Filter", description="Conditions on an enum value; it must meet all of them.")
class EnumFilter(Generic[E]):
    eq: E | None = optional("Accept only exactly this value.")
    in_: list[E] | None = optional("Accept any of these values.", name="in")


def to_conditions(filter_input: Any) -> tuple[AnyCondition, ...]:
    """Convert a filter input into conditions on columns. Raise Invalid for nulls, bad ids and too many conditions."""
    conditions = (*_list_conditions(filter_input),)
    leaves = [*list_leaves(conditions)]
    if len(leaves) > MAX_CONDITIONS:
        raise Invalid(
            f"The filter has {len(leaves)} conditions; {MAX_CONDITIONS} is the limit. Use `in` for many values.",
            field=("filter",),
        )
    columns = {leaf.column for leaf in leaves}
    defaults = (field.metadata for field in dataclasses.fields(filter_input) if "default" in field.metadata)
    return conditions + tuple(
        Condition(default["column"], "is_set", default["default"])
        for default in defaults
        if default["column"] not in columns
    )


def _list_conditions(filter_input: Any) -> Iterator[AnyCondition]:
    for field in dataclasses.fields(filter_input):
        part = getattr(filter_input, field.name)
        if part is UNSET:
            continue
        if part is None:
            name = field.name.rstrip("_")
            raise Invalid(f"The filter `{name}` is null. Leave it out to accept everything.", field=("filter",))
        match field.name:
            case "or_":
                yield Combination(tuple((*_list_conditions(item),) for item in part))
            case "not_":
                yield Combination(((*_list_conditions(part),),), is_negated=True)
            case _:
                yield from _field_conditions(field, part)


def _field_conditions(field: Any, comparison: Any) -> Iterator[AnyCondition]:
    column, related = field.metadata["column"], field.metadata.get("related", "")
    if isinstance(comparison, bool):
        yield Condition(column, "is_set", comparison)
        return
    for operator in dataclasses.fields(comparison):
        value = getattr(comparison, operator.name)
        if value is UNSET:
            continue
        name = operator.name.rstrip("_")
        if value is None:
            raise Invalid(
                f"`{to_camel_case(name)}` is null in a filter. Leave it out to accept everything.", field=("filter",)
            )
        if field.metadata.get("is_existence"):
            exists = Condition(column, "exists", related=related)
            yield exists if value else Combination(((exists,),), is_negated=True)
        else:
            yield Condition(column, name, _to_column_value(value, field.metadata["type_name"]), related)


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
