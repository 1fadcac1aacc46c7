"""A typed answer and the selection that fetches it are one thing: the fields of a model are what is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo


class Model(BaseModel):
    """What the server adds in a later version is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Called:
    """How a field is asked for where its name alone does not do: its arguments, and what its answer is wrapped in."""

    arguments: str = ""
    within: str = ""


def _unwrapped(value: Any) -> Any:
    return cast("dict[str, Any]", value)["nodes"] if isinstance(value, dict) else value


NODES = BeforeValidator(_unwrapped)
"""Beside `Called(within="nodes")`: a connection as its nodes."""


def selection(model: type[Model]) -> str:
    """The fields of the model in GraphQL, without the braces around them."""
    return " ".join(_fields(model))


def _fields(model: type[Model]) -> Iterator[str]:
    for field in model.model_fields.values():
        called = next((one for one in field.metadata if isinstance(one, Called)), Called())
        nested = _nested(field)
        inner = f" {{ {selection(nested)} }}" if nested else ""
        wrapped = f" {{ {called.within}{inner} }}" if called.within else inner
        yield f"{field.alias}{called.arguments}{wrapped}"


def _nested(field: FieldInfo) -> type[Model] | None:
    """The model in `Model`, `Model | None` or `tuple[Model, ...]`."""
    annotation: Any = field.annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Model):
            return candidate
    return None
